-- Processes of process managers. `version` is the number of steps that one has made; `state` and `compensations` are JSON; times are
-- milliseconds since 1970.
CREATE TABLE jitney_processes (
    process TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    state_version INTEGER NOT NULL,
    state TEXT NOT NULL,
    compensations TEXT NOT NULL,
    -- 0 or 1.
    completed INTEGER NOT NULL,
    started INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (process, key)
) STRICT;

CREATE INDEX jitney_processes_open ON jitney_processes (process, key) WHERE completed = 0;

CREATE INDEX jitney_processes_completed ON jitney_processes (process, updated) WHERE completed = 1;

-- What a process has handled: the mark by which an input is known again.
CREATE TABLE jitney_process_steps (
    process TEXT NOT NULL,
    key TEXT NOT NULL,
    event_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    what TEXT NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (process, key, event_id)
) STRICT, WITHOUT ROWID;

-- What a process waits for. Nobody else takes a deadline before `claimed`.
CREATE TABLE jitney_process_deadlines (
    process TEXT NOT NULL,
    key TEXT NOT NULL,
    deadline TEXT NOT NULL,
    due INTEGER NOT NULL,
    cause_id TEXT NOT NULL,
    metadata TEXT NOT NULL,
    claimed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (process, key, deadline)
) STRICT;

CREATE INDEX jitney_process_deadlines_due ON jitney_process_deadlines (process, due);

-- How far the event store was followed, and by whom.
CREATE TABLE jitney_process_feeds (
    process TEXT PRIMARY KEY,
    position TEXT NOT NULL,
    owner TEXT,
    until INTEGER NOT NULL
) STRICT;

-- Inputs that were put aside, and those without an `error` that are to be when they are met.
CREATE TABLE jitney_process_parked (
    process TEXT NOT NULL,
    event_id TEXT NOT NULL,
    aggregate_type TEXT,
    aggregate_id TEXT,
    what TEXT NOT NULL,
    error TEXT,
    time INTEGER NOT NULL,
    PRIMARY KEY (process, event_id)
) STRICT;
