-- The pseudonyms of values, by their hashes under the key of the subject that they are about; deleted when that is forgotten.
CREATE TABLE {schema}.pseudonyms (
    pseudonym text COLLATE "C" PRIMARY KEY,
    purpose text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL REFERENCES {schema}.subject_keys,
    hash bytea NOT NULL,
    sealed bytea NOT NULL,
    UNIQUE (subject, purpose, hash)
);
