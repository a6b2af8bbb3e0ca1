-- What groups of handlers have handled: events by their ids, and natural keys.

CREATE TABLE jitney_inbox (
    handler_group TEXT NOT NULL,
    -- 0: the id of an event, 1: a natural key.
    is_natural INTEGER NOT NULL,
    key TEXT NOT NULL,
    -- Milliseconds since 1970.
    handled_at INTEGER NOT NULL,
    PRIMARY KEY (handler_group, is_natural, key)
) STRICT;

CREATE INDEX jitney_inbox_by_age ON jitney_inbox (is_natural, handled_at);
