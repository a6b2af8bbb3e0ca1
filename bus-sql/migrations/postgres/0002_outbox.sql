-- Events that are to be published; `body` is the envelope as native JSON. Those with an `error` were put aside.
CREATE TABLE {schema}.outbox (
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard smallint NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    time_ms bigint NOT NULL,
    body text NOT NULL,
    error text
);

CREATE INDEX outbox_pending ON {schema}.outbox (place, shard) WHERE error IS NULL;

-- Relays that are alive, and what each of them publishes from.
CREATE TABLE {schema}.outbox_relays (
    relay text PRIMARY KEY,
    until timestamptz NOT NULL
);

CREATE TABLE {schema}.outbox_shards (
    shard smallint PRIMARY KEY,
    relay text NOT NULL REFERENCES {schema}.outbox_relays (relay) ON DELETE CASCADE
);
