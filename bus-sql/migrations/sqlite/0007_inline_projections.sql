-- Whether appends keep a build up themselves. Its shards stay where they were when that began.
ALTER TABLE jitney_projections ADD COLUMN inline INTEGER NOT NULL DEFAULT 0;
