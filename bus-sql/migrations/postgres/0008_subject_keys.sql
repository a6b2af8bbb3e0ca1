-- The keys of data subjects, wrapped by a master key; and those subjects that are forgotten, for ever.
CREATE TABLE {schema}.subject_keys (
    subject text COLLATE "C" PRIMARY KEY,
    key_id text,
    master text COLLATE "C",
    wrapped bytea,
    forgotten_at_ms bigint,
    forgotten_by text,
    CHECK (num_nonnulls(key_id, master, wrapped) = 3 AND num_nonnulls(forgotten_at_ms, forgotten_by) = 0
        OR num_nonnulls(key_id, master, wrapped) = 0 AND num_nonnulls(forgotten_at_ms, forgotten_by) = 2)
);

-- What is still to follow, by name, for subjects that are forgotten.
CREATE TABLE {schema}.subject_followers (
    subject text COLLATE "C" NOT NULL REFERENCES {schema}.subject_keys,
    name text COLLATE "C" NOT NULL,
    PRIMARY KEY (subject, name)
);
