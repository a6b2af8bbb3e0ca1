-- The newest event of a chain is the last entry of it: that which its metadata say, or the one that it begins. The
-- statement that looks for it has the same expression.
CREATE INDEX jitney_events_by_correlation ON jitney_events
    (coalesce(CASE WHEN json_valid(metadata) THEN metadata ->> '$.correlationId' END, event_id));
