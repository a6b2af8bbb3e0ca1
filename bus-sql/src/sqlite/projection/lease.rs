//! Who works on which shard.

use jitney_sourcing::projection::BuildId;
use sqlx::SqliteConnection;

use super::integer;
use crate::projection::{LeaseRow, number, share};

/// Nobody works on one that is inline.
const PAUSED: &str = "SELECT paused OR inline FROM jitney_projections WHERE build = ?1 AND state = ?2";

const BURY: &str = "DELETE FROM jitney_projection_workers WHERE build = ?1 AND until <= ?3 AND worker <> ?2";

const LIVE: &str = "INSERT INTO jitney_projection_workers (build, worker, until) VALUES (?1, ?2, ?3) \
                    ON CONFLICT (build, worker) DO UPDATE SET until = excluded.until";

const WORKERS: &str = "SELECT count(*) FROM jitney_projection_workers WHERE build = ?1";

/// Those of workers that are not alive are free.
const HELD: &str = "SELECT s.shard, coalesce(w.worker, '') FROM jitney_projection_shards s \
                    LEFT JOIN jitney_projection_workers w ON w.build = s.build AND w.worker = s.worker \
                    WHERE s.build = ?1";

const GIVE_UP: &str = "UPDATE jitney_projection_shards SET worker = NULL \
                       WHERE build = ?1 AND worker = ?2 AND shard = ?3";

const TAKE: &str = "UPDATE jitney_projection_shards SET worker = ?2, epoch = epoch + 1, stopped = NULL \
                    WHERE build = ?1 AND shard = ?3";

const LEASED: &str = "SELECT shard, epoch, position, stopped FROM jitney_projection_shards \
                      WHERE build = ?1 AND worker = ?2 ORDER BY shard";

const LEAVE: &str = "DELETE FROM jitney_projection_workers WHERE worker = ?1";

/// Whether the build is paused, and what the worker has of it then; none where there is no such build.
pub(super) async fn share_out(
    connection: &mut SqliteConnection,
    id: &BuildId,
    worker: &str,
    now: i64,
    until: i64,
) -> Result<Option<(bool, Vec<LeaseRow>)>, sqlx::Error> {
    let build = integer(id.number);
    let paused = sqlx::query_scalar(PAUSED).bind(build).bind(number(id.state));
    let Some(paused) = paused.fetch_optional(&mut *connection).await? else { return Ok(None) };
    sqlx::query(BURY).bind(build).bind(worker).bind(now).execute(&mut *connection).await?;
    sqlx::query(LIVE).bind(build).bind(worker).bind(until).execute(&mut *connection).await?;
    let workers = sqlx::query_scalar(WORKERS).bind(build).fetch_one(&mut *connection).await?;
    let all: Vec<(i64, String)> = sqlx::query_as(HELD).bind(build).fetch_all(&mut *connection).await?;
    let (shards, held) = (all.len(), all.into_iter().filter(|(_, worker)| !worker.is_empty()));
    let share = share(shards, worker, workers, &held.collect::<Vec<_>>());
    for (sql, shards) in [(GIVE_UP, &share.given_up), (TAKE, &share.taken)] {
        for shard in crate::outbox::numbers(shards) {
            sqlx::query(sql).bind(build).bind(worker).bind(shard).execute(&mut *connection).await?;
        }
    }
    let leased = sqlx::query_as(LEASED).bind(build).bind(worker).fetch_all(connection).await?;
    Ok(Some((paused, leased)))
}

/// Gives up everything that the worker has.
pub(super) async fn release(connection: &mut SqliteConnection, worker: &str) -> Result<(), sqlx::Error> {
    sqlx::query(LEAVE).bind(worker).execute(connection).await.map(drop)
}
