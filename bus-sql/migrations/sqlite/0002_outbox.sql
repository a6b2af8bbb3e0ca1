-- Events that are to be published, and who publishes them.

CREATE TABLE jitney_outbox (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    shard INTEGER NOT NULL,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    -- Milliseconds since 1970.
    time INTEGER NOT NULL,
    -- The envelope as native JSON.
    body TEXT NOT NULL,
    -- Why it was put aside.
    error TEXT
) STRICT;

CREATE TABLE jitney_outbox_relays (
    relay TEXT PRIMARY KEY,
    -- Milliseconds since 1970.
    until INTEGER NOT NULL
) STRICT;

CREATE TABLE jitney_outbox_shards (
    shard INTEGER PRIMARY KEY,
    relay TEXT NOT NULL REFERENCES jitney_outbox_relays (relay) ON DELETE CASCADE
) STRICT;
