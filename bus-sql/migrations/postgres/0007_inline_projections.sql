-- Whether appends keep a build up themselves. Its shards stay where they were when that began.
ALTER TABLE {schema}.projections ADD COLUMN inline boolean NOT NULL DEFAULT false;

-- Each build that is inline has a trigger on the events, with `projection/build` as its argument: whoever appends has to
-- say that it keeps that up. What a trigger is does not depend on the snapshot of a transaction.
CREATE FUNCTION {schema}.refuse_without_inline() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF strpos(coalesce(current_setting('jitney.inline', true), ''), ' ' || TG_ARGV[0] || ' ') = 0 THEN
        RAISE EXCEPTION 'projection % is inline in this database', TG_ARGV[0] USING ERRCODE = 'JI001';
    END IF;
    RETURN NULL;
END
$$;
