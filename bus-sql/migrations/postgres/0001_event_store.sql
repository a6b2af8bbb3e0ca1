-- The eras of this database. Transaction ids of different clusters cannot be compared: a database that was restored into a new
-- cluster begins a new epoch.
CREATE TABLE {schema}.epochs (
    epoch bigint PRIMARY KEY,
    system_identifier bigint NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);

-- One row a stream, locked by whoever appends to it. `state`: 0 open, 1 archived, 2 ended.
CREATE TABLE {schema}.streams (
    stream bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    last_sequence bigint NOT NULL,
    last_epoch bigint NOT NULL,
    last_tx bigint NOT NULL,
    last_time_ms bigint NOT NULL,
    state smallint NOT NULL DEFAULT 0,
    CONSTRAINT streams_by_name UNIQUE (aggregate_type, aggregate_id)
) WITH (fillfactor = 80);

CREATE INDEX streams_archived ON {schema}.streams (stream) WHERE state = 1;

-- `tx` is the id of the transaction that stored the event, or that of the stream's event before where that is greater. Payload
-- and metadata are kept letter by letter; times are milliseconds since 1970. `correlation` is a number
-- made of the event's correlation id, which others may have too.
CREATE TABLE {schema}.events (
    epoch bigint NOT NULL,
    tx bigint NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    stream bigint NOT NULL,
    sequence bigint NOT NULL,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    version_major bigint NOT NULL,
    version_minor bigint NOT NULL,
    time_ms bigint NOT NULL,
    correlation bigint NOT NULL,
    metadata json NOT NULL,
    payload json NOT NULL,
    CONSTRAINT events_in_order PRIMARY KEY (epoch, tx, seq),
    CONSTRAINT events_of_stream UNIQUE (stream, sequence),
    CONSTRAINT events_by_id UNIQUE (stream, event_id)
);

CREATE INDEX events_of_correlation ON {schema}.events (correlation, epoch, tx, seq);

-- The newest snapshot of each stream; `state` is JSON text.
CREATE TABLE {schema}.snapshots (
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    event_id text NOT NULL,
    schema_hash uuid NOT NULL,
    time_ms bigint NOT NULL,
    state bytea NOT NULL,
    checksum uuid NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id)
);
