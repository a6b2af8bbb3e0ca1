-- The newest event of a chain is the last entry of it. A chain is named as JSON text; an event without a correlation id
-- begins one of its own. The server reads no JSON with a NUL or half a character in it, so U+FFFD stands for that; a backslash
-- that is escaped begins no such thing. An index
-- takes no text of any length. The statement that looks for a chain has the same expressions.
CREATE INDEX events_by_correlation ON {schema}.events (
    left(coalesce((CASE WHEN strpos(metadata::text, E'\\u') = 0 THEN metadata
        ELSE regexp_replace(metadata::text, E'(?<!\\\\)((?:\\\\\\\\)*)\\\\u(0000|d[89a-f][0-9a-f][0-9a-f])', E'\\1\\\\ufffd', 'gi')::json END -> 'correlationId')::text,
        '"' || event_id || '"') COLLATE "C", 100),
    epoch, tx, seq
);
