-- The pseudonyms of values, by their hashes under the key of the subject that they are about; deleted when that is forgotten.
CREATE TABLE jitney_pseudonyms (
    pseudonym TEXT PRIMARY KEY NOT NULL,
    purpose TEXT NOT NULL,
    subject TEXT NOT NULL REFERENCES jitney_subject_keys,
    hash BLOB NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (subject, purpose, hash)
) STRICT;
