-- What groups of handlers have handled: events by their ids, and natural keys.
CREATE TABLE {schema}.inbox (
    handler_group text COLLATE "C" NOT NULL,
    is_natural boolean NOT NULL,
    key text COLLATE "C" NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (handler_group, is_natural, key)
);

CREATE INDEX inbox_by_age ON {schema}.inbox (is_natural, handled_at);
