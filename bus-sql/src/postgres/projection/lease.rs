//! Who works on which shard.

use std::time::Duration;

use jitney_sourcing::projection::BuildId;
use sqlx::PgConnection;

use crate::postgres::row::from_u64;
use crate::postgres::schema::Schema;
use crate::projection::{LeaseRow, number, share};

/// Workers share out shards one after the other. The clock is the server's.
const LOCK: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended('jitney projection ' || $1 || ' ' || $2::text, 0))";

/// Nobody works on one that is inline.
const PAUSED: &str = "SELECT paused OR inline FROM {schema}.projections WHERE build = $1 AND state = $2";

const BURY: &str = "
DELETE FROM {schema}.projection_workers WHERE build = $1 AND until <= clock_timestamp() AND worker <> $2";

const LIVE: &str = "
INSERT INTO {schema}.projection_workers (build, worker, until)
VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (build, worker) DO UPDATE SET until = excluded.until";

const WORKERS: &str = "SELECT count(*) FROM {schema}.projection_workers WHERE build = $1";

/// Those of workers that are not alive are free.
const HELD: &str = "
SELECT s.shard::bigint, coalesce(w.worker, '') FROM {schema}.projection_shards s
LEFT JOIN {schema}.projection_workers w ON w.build = s.build AND w.worker = s.worker
WHERE s.build = $1";

const GIVE_UP: &str = "
UPDATE {schema}.projection_shards SET worker = NULL WHERE build = $1 AND worker = $2 AND shard = ANY ($3)";

/// What a transaction of its last owner still holds is taken at a later time.
const TAKE: &str = "
UPDATE {schema}.projection_shards SET worker = $2, epoch = epoch + 1, stopped = NULL
WHERE build = $1 AND shard IN (
    SELECT shard FROM {schema}.projection_shards WHERE build = $1 AND shard = ANY ($3) FOR UPDATE SKIP LOCKED
)";

const LEASED: &str = "
SELECT shard::bigint, epoch, position, stopped FROM {schema}.projection_shards
WHERE build = $1 AND worker = $2 ORDER BY shard";

const LEAVE: &str = "
DELETE FROM {schema}.projection_workers
WHERE worker = $2 AND build IN (SELECT build FROM {schema}.projections WHERE projection = $1)";

/// Whether the build is paused, and what the worker has of it then; none where there is no such build.
pub(super) async fn share_out(
    connection: &mut PgConnection,
    schema: &Schema,
    id: &BuildId,
    worker: &str,
    lease: Duration,
) -> Result<Option<(bool, Vec<LeaseRow>)>, sqlx::Error> {
    let build = from_u64(id.number);
    sqlx::query(LOCK).bind(schema.name()).bind(build).execute(&mut *connection).await?;
    let paused = sqlx::query_scalar(schema.sql(PAUSED)).bind(build).bind(number(id.state));
    let Some(paused) = paused.fetch_optional(&mut *connection).await? else { return Ok(None) };
    sqlx::query(schema.sql(BURY)).bind(build).bind(worker).execute(&mut *connection).await?;
    let live = sqlx::query(schema.sql(LIVE)).bind(build).bind(worker).bind(lease.as_secs_f64());
    live.execute(&mut *connection).await?;
    let workers = sqlx::query_scalar(schema.sql(WORKERS)).bind(build).fetch_one(&mut *connection).await?;
    let all: Vec<(i64, String)> =
        sqlx::query_as(schema.sql(HELD)).bind(build).fetch_all(&mut *connection).await?;
    let (shards, held) = (all.len(), all.into_iter().filter(|(_, worker)| !worker.is_empty()));
    let share = share(shards, worker, workers, &held.collect::<Vec<_>>());
    for (sql, shards) in [(GIVE_UP, &share.given_up), (TAKE, &share.taken)] {
        if !shards.is_empty() {
            let shards = crate::outbox::numbers(shards);
            let change = sqlx::query(schema.sql(sql)).bind(build).bind(worker).bind(shards);
            change.execute(&mut *connection).await?;
        }
    }
    let leased = sqlx::query_as(schema.sql(LEASED)).bind(build).bind(worker).fetch_all(connection).await?;
    Ok(Some((paused, leased)))
}

/// Gives up everything that the worker has of a projection.
pub(super) async fn release(
    connection: &mut PgConnection,
    schema: &Schema,
    projection: &str,
    worker: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(schema.sql(LEAVE)).bind(projection).bind(worker).execute(connection).await.map(drop)
}
