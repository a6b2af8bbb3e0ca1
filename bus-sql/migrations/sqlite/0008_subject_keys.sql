-- The keys of data subjects, wrapped by a master key; and those subjects that are forgotten, for ever.
CREATE TABLE jitney_subject_keys (
    subject TEXT PRIMARY KEY NOT NULL,
    key_id TEXT,
    master TEXT,
    wrapped BLOB,
    forgotten_at_ms INTEGER,
    forgotten_by TEXT,
    CHECK ((key_id IS NOT NULL) + (master IS NOT NULL) + (wrapped IS NOT NULL)
        + 3 * (forgotten_at_ms IS NULL) + 3 * (forgotten_by IS NULL) IN (0, 9))
) STRICT;

-- What is still to follow, by name, for subjects that are forgotten.
CREATE TABLE jitney_subject_followers (
    subject TEXT NOT NULL REFERENCES jitney_subject_keys,
    name TEXT NOT NULL,
    PRIMARY KEY (subject, name)
) STRICT;
