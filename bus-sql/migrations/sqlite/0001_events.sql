-- Streams, their events in one order, and the newest snapshot of each.

CREATE TABLE jitney_streams (
    id INTEGER PRIMARY KEY,
    aggregate_type TEXT NOT NULL,
    aggregate_id TEXT NOT NULL,
    last_sequence INTEGER NOT NULL,
    -- Milliseconds since 1970.
    last_time INTEGER NOT NULL,
    -- 0: open, 1: archived, 2: ended.
    state INTEGER NOT NULL,
    UNIQUE (aggregate_type, aggregate_id)
) STRICT;

CREATE TABLE jitney_events (
    -- There is one writer at a time: positions are given, and can be read, in one order.
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL REFERENCES jitney_streams (id),
    -- From 1, without gaps.
    sequence INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    -- `major.minor`.
    version TEXT NOT NULL,
    -- Milliseconds since 1970.
    time INTEGER NOT NULL,
    -- A number made of the event's correlation id, which others may have too.
    correlation INTEGER NOT NULL,
    -- One JSON object.
    metadata TEXT NOT NULL,
    -- JSON, byte by byte as it was appended.
    payload TEXT NOT NULL,
    UNIQUE (stream, sequence),
    UNIQUE (stream, event_id)
) STRICT;

CREATE INDEX jitney_events_of_correlation ON jitney_events (correlation, position);

CREATE TABLE jitney_snapshots (
    aggregate_type TEXT NOT NULL,
    aggregate_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    schema TEXT NOT NULL,
    -- Milliseconds since 1970.
    time INTEGER NOT NULL,
    state BLOB NOT NULL,
    checksum TEXT NOT NULL,
    UNIQUE (aggregate_type, aggregate_id)
) STRICT;
