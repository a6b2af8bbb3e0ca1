-- Processes of process managers. `version` is the number of steps that one has made; `state` and `compensations` are JSON; times are
-- milliseconds since 1970.
CREATE TABLE {schema}.processes (
    process text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    state_version bigint NOT NULL,
    state json NOT NULL,
    compensations json NOT NULL,
    completed boolean NOT NULL,
    started_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    PRIMARY KEY (process, key)
) WITH (fillfactor = 80);

CREATE INDEX processes_open ON {schema}.processes (process, key) WHERE NOT completed;

CREATE INDEX processes_completed ON {schema}.processes (process, updated_ms) WHERE completed;

-- What a process has handled: the mark by which an input is known again.
CREATE TABLE {schema}.process_steps (
    process text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    step bigint NOT NULL,
    what text NOT NULL,
    time_ms bigint NOT NULL,
    PRIMARY KEY (process, key, event_id)
);

-- What a process waits for. Nobody else takes a deadline before `claimed_ms`.
CREATE TABLE {schema}.process_deadlines (
    process text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    deadline text COLLATE "C" NOT NULL,
    due_ms bigint NOT NULL,
    cause_id text NOT NULL,
    metadata json NOT NULL,
    claimed_ms bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (process, key, deadline)
);

CREATE INDEX process_deadlines_due ON {schema}.process_deadlines (process, due_ms);

-- How far the event store was followed, and by whom.
CREATE TABLE {schema}.process_feeds (
    process text COLLATE "C" PRIMARY KEY,
    position text NOT NULL,
    owner text,
    until_ms bigint NOT NULL
);

-- Inputs that were put aside, and those without an `error` that are to be when they are met.
CREATE TABLE {schema}.process_parked (
    process text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    aggregate_type text,
    aggregate_id text,
    what text NOT NULL,
    error text,
    time_ms bigint NOT NULL,
    PRIMARY KEY (process, event_id)
);
