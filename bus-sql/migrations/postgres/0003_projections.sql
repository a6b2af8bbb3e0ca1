-- The builds of projections. `state`: 0 readers see it, 1 it is being made beside, 2 its place was taken and its tables are to be
-- dropped. Events up to `live_from` were there before the projection was.
CREATE TABLE {schema}.projections (
    build bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projection text COLLATE "C" NOT NULL,
    state smallint NOT NULL,
    version bigint NOT NULL,
    live_from text NOT NULL,
    paused boolean NOT NULL DEFAULT false
);

CREATE UNIQUE INDEX projections_by_state ON {schema}.projections (projection, state) WHERE state < 2;

-- Checkpoints. `epoch` counts the owners of a shard; `stopped` is the event that it has stopped at, as JSON.
CREATE TABLE {schema}.projection_shards (
    build bigint NOT NULL REFERENCES {schema}.projections (build) ON DELETE CASCADE,
    shard smallint NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    worker text,
    position text NOT NULL DEFAULT '0',
    handled bigint NOT NULL DEFAULT 0,
    last_time_ms bigint,
    stopped text,
    PRIMARY KEY (build, shard)
) WITH (fillfactor = 50);

-- Workers that are alive.
CREATE TABLE {schema}.projection_workers (
    build bigint NOT NULL REFERENCES {schema}.projections (build) ON DELETE CASCADE,
    worker text NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (build, worker)
);

-- Events that were passed without having been handled, as JSON.
CREATE TABLE {schema}.projection_passed (
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    build bigint NOT NULL REFERENCES {schema}.projections (build) ON DELETE CASCADE,
    event_id text COLLATE "C" NOT NULL,
    skipped boolean NOT NULL,
    event text NOT NULL,
    UNIQUE (build, event_id)
);
