-- What groups of handlers have handled: events by their ids, and natural keys.
CREATE TABLE {schema}.inbox (
    handler_group text COLLATE "C" NOT NULL,
    is_natural boolean NOT NULL,
    key text COLLATE "C" NOT NULL,
    -- From when on it may be deleted; NULL: never.
    forget_at timestamptz,
    PRIMARY KEY (handler_group, is_natural, key)
);

CREATE INDEX inbox_by_end ON {schema}.inbox (forget_at) WHERE forget_at IS NOT NULL;
