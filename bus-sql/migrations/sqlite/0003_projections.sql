-- The builds of projections. `state`: 0 readers see it, 1 it is being made, in a file of its own which has its shards. Events up to
-- `live_from` were there before the projection was.
CREATE TABLE jitney_projections (
    build INTEGER PRIMARY KEY AUTOINCREMENT,
    projection TEXT NOT NULL,
    state INTEGER NOT NULL,
    version INTEGER NOT NULL,
    live_from TEXT NOT NULL,
    paused INTEGER NOT NULL DEFAULT 0,
    UNIQUE (projection, state)
) STRICT;

-- Checkpoints. `epoch` counts the owners of a shard; `stopped` is the event that it has stopped at, as JSON.
CREATE TABLE jitney_projection_shards (
    build INTEGER NOT NULL REFERENCES jitney_projections (build) ON DELETE CASCADE,
    shard INTEGER NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    position TEXT NOT NULL DEFAULT '0',
    handled INTEGER NOT NULL DEFAULT 0,
    last_time INTEGER,
    stopped TEXT,
    PRIMARY KEY (build, shard)
) STRICT, WITHOUT ROWID;

-- Workers that are alive; `until` is in milliseconds since 1970.
CREATE TABLE jitney_projection_workers (
    build INTEGER NOT NULL REFERENCES jitney_projections (build) ON DELETE CASCADE,
    worker TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (build, worker)
) STRICT, WITHOUT ROWID;

-- Events that were passed without having been handled, as JSON.
CREATE TABLE jitney_projection_passed (
    place INTEGER PRIMARY KEY,
    build INTEGER NOT NULL REFERENCES jitney_projections (build) ON DELETE CASCADE,
    event_id TEXT NOT NULL,
    skipped INTEGER NOT NULL,
    event TEXT NOT NULL,
    UNIQUE (build, event_id)
) STRICT;

-- Tables, views and triggers that a projection has made, by their names.
CREATE TABLE jitney_projection_objects (
    projection TEXT NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
