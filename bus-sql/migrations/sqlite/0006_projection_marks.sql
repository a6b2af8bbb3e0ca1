-- Which events that came by a bus a build has handled: of a stream, the last one,
CREATE TABLE jitney_projection_streams (
    build INTEGER NOT NULL REFERENCES jitney_projections (build) ON DELETE CASCADE,
    aggregate_type TEXT NOT NULL,
    aggregate_id TEXT NOT NULL,
    -- The last one, and which was the last one before the last change.
    last INTEGER NOT NULL,
    previous INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (build, aggregate_type, aggregate_id)
) STRICT, WITHOUT ROWID;

-- and what is missing before it;
CREATE TABLE jitney_projection_gaps (
    build INTEGER NOT NULL REFERENCES jitney_projections (build) ON DELETE CASCADE,
    aggregate_type TEXT NOT NULL,
    aggregate_id TEXT NOT NULL,
    from_sequence INTEGER NOT NULL,
    to_sequence INTEGER NOT NULL,
    PRIMARY KEY (build, aggregate_type, aggregate_id, from_sequence)
) STRICT, WITHOUT ROWID;

-- events without a sequence by their ids.
CREATE TABLE jitney_projection_events (
    build INTEGER NOT NULL REFERENCES jitney_projections (build) ON DELETE CASCADE,
    event_id TEXT NOT NULL,
    PRIMARY KEY (build, event_id)
) STRICT, WITHOUT ROWID;
