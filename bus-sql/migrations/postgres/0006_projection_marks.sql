-- Which events that came by a bus a build has handled: of a stream, the last one,
CREATE TABLE {schema}.projection_streams (
    build bigint NOT NULL REFERENCES {schema}.projections (build) ON DELETE CASCADE,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    -- The last one, and which was the last one before the last change.
    last bigint NOT NULL,
    previous bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (build, aggregate_type, aggregate_id)
) WITH (fillfactor = 70);

-- and what is missing before it;
CREATE TABLE {schema}.projection_gaps (
    build bigint NOT NULL REFERENCES {schema}.projections (build) ON DELETE CASCADE,
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id text COLLATE "C" NOT NULL,
    from_sequence bigint NOT NULL,
    to_sequence bigint NOT NULL,
    PRIMARY KEY (build, aggregate_type, aggregate_id, from_sequence)
);

-- events without a sequence by their ids.
CREATE TABLE {schema}.projection_events (
    build bigint NOT NULL REFERENCES {schema}.projections (build) ON DELETE CASCADE,
    event_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (build, event_id)
);
