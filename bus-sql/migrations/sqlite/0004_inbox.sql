-- What groups of handlers have handled: events by their ids, and natural keys.

CREATE TABLE jitney_inbox (
    handler_group TEXT NOT NULL,
    -- 0: the id of an event, 1: a natural key.
    is_natural INTEGER NOT NULL,
    key TEXT NOT NULL,
    -- From when on it may be deleted, in milliseconds since 1970; NULL: never.
    forget_at INTEGER,
    PRIMARY KEY (handler_group, is_natural, key)
) STRICT;

CREATE INDEX jitney_inbox_by_end ON jitney_inbox (forget_at) WHERE forget_at IS NOT NULL;
