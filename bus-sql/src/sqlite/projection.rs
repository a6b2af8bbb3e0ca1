//! Read models in SQLite.
//!
//! The live build of a projection is in the file itself, its tables under their plain names. The next one is in a file of its own
//! beside it, so that the same statements make it; the swap copies it into the file in one transaction.

mod bus;
mod copy;
mod inline;
mod lease;
mod place;
mod transaction;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jitney_core::Id;
use jitney_sourcing::Error;
use jitney_sourcing::projection::{
    Build, BuildId, BuildState, Leased, NewBuild, PassedEvent, ReadModel, ShardLease, Stopped,
};
use sqlx::SqliteConnection;
use tokio::sync::Mutex;

pub use self::transaction::SqliteTransaction;
use super::SqliteStore;
use super::error::commit_failed;
use super::overwrite::empty_log;
use crate::projection::{LeaseRow, ShardRow, builds, passed, stopped, text};

/// Each shard by its number. A build that is inline is where the store ends.
const BUILD: &str = "SELECT p.build, p.state, p.version, p.paused, p.inline, p.live_from, \
                     CASE WHEN p.inline THEN (SELECT CAST(coalesce(max(position), 0) AS TEXT) FROM jitney_events) \
                     ELSE s.position END, s.handled, s.last_time, \
                     s.epoch, s.worker, s.stopped \
                     FROM jitney_projections p JOIN jitney_projection_shards s ON s.build = p.build \
                     WHERE p.projection = ?1 AND p.state = ?2 ORDER BY s.shard";

/// The first one stays, of several that are met at once: whoever has seen it can skip it.
const STOP: &str = "UPDATE jitney_projection_shards SET stopped = ?5 \
                    WHERE build = ?1 AND shard = ?2 AND epoch = ?3 AND position = ?4 AND stopped IS NULL";

const PAUSE: &str = "UPDATE jitney_projections SET paused = ?2 WHERE projection = ?1";

const GO_ON: &str = "UPDATE jitney_projection_shards SET stopped = NULL \
                     WHERE build IN (SELECT build FROM jitney_projections WHERE projection = ?1)";

const STOPPED: &str = "SELECT build, stopped FROM jitney_projection_shards \
                       WHERE stopped IS NOT NULL \
                       AND build IN (SELECT build FROM jitney_projections WHERE projection = ?1)";

const SKIP: &str = "INSERT INTO jitney_projection_passed (build, event_id, skipped, event) VALUES (?1, ?2, 1, ?3) \
                    ON CONFLICT (build, event_id) DO UPDATE SET skipped = 1";

const SKIPPED: &str = "UPDATE jitney_projection_shards SET stopped = NULL WHERE build = ?1 AND stopped = ?2";

const IS_SKIPPED: &str = "SELECT EXISTS (SELECT 1 FROM jitney_projection_passed \
                          WHERE build = ?1 AND event_id = ?2 AND skipped)";

const PASSED: &str = "SELECT e.event, e.skipped FROM jitney_projection_passed e \
                      JOIN jitney_projections p ON p.build = e.build \
                      WHERE p.projection = ?1 AND p.state = 0 ORDER BY e.place DESC LIMIT ?2";

/// Keeps read models in a SQLite database: that of the event store, or another one.
///
/// Readers find the tables of a projection under the names that it gives them. A [rebuild](jitney_sourcing::Projector::rebuild) is
/// made in a file of its own in the same folder; when it has caught up, one transaction replaces each table of the projection, its
/// indexes, views and triggers. Writers of the database wait meanwhile, readers do not. Virtual tables cannot be rebuilt, and
/// neither can a database in memory.
///
/// ```no_run
/// use jitney_sourcing::{Projection, Projector};
/// use jitney_sql::{SqliteReadModel, SqliteStore, sqlx::SqliteConnection};
///
/// # async fn example(orders: impl Projection<Connection = SqliteConnection>) -> Result<(), jitney_sourcing::Error> {
/// let store = SqliteStore::open("orders.db").await?;
/// let projector = Projector::new(store.clone(), SqliteReadModel::of(&store), orders).start().await?;
/// # projector.shutdown().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteReadModel {
    store: SqliteStore,
    /// The files of builds that are open, by the numbers of the builds.
    open: Arc<Mutex<HashMap<u64, SqliteStore>>>,
}

impl SqliteReadModel {
    /// Read models in the database at a path or URL, as [`SqliteStore::open`] takes them.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`].
    ///
    /// # Cancellation
    ///
    /// As [`SqliteStore::open`].
    pub async fn open(database: &str) -> Result<Self, Error> {
        Ok(SqliteReadModel::of(&SqliteStore::open(database).await?))
    }

    /// The same beside the events of `store`.
    pub fn of(store: &SqliteStore) -> Self {
        SqliteReadModel { store: store.clone(), open: Arc::default() }
    }

    /// Connections that read, for queries of the application's own.
    pub fn readers(&self) -> &sqlx::SqlitePool {
        self.store.readers()
    }

    /// The file that a build is in; none where it is not there any more.
    async fn file_of(&self, id: &BuildId) -> Result<Option<SqliteStore>, Error> {
        match id.state {
            BuildState::Live => Ok(Some(self.store.clone())),
            _ => place::open(self, &id.projection, id.number).await,
        }
    }

    async fn look(&self, projection: &str) -> Result<Vec<Build>, Error> {
        let (doing, mut all) = (looking(projection), Vec::new());
        for (state, file) in (0_i64..).zip(self.files(projection).await?) {
            let rows = read(&file, &doing, async |connection| {
                let query = sqlx::query_as::<_, ShardRow>(BUILD).bind(projection).bind(state);
                query.fetch_all(connection).await
            });
            all.extend(rows.await?);
        }
        builds(projection, all)
    }

    /// The files of both builds of a projection.
    async fn files(&self, projection: &str) -> Result<Vec<SqliteStore>, Error> {
        let next = place::next(self, projection).await?;
        Ok([Some(self.store.clone()), next].into_iter().flatten().collect())
    }
}

async fn read<T>(
    file: &SqliteStore,
    doing: &str,
    read: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
) -> Result<T, Error> {
    let mut connection = file.reader().await?;
    read(&mut connection).await.map_err(|error| file.failed(doing, error))
}

async fn write<T>(
    file: &SqliteStore,
    doing: &str,
    write: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
) -> Result<T, Error> {
    let mut transaction = file.begin().await?;
    let done = write(&mut transaction).await.map_err(|error| file.failed(doing, error))?;
    let committed = transaction.commit().await;
    committed.map_err(|error| commit_failed(file.place(), doing, error))?;
    Ok(done)
}

impl ReadModel for SqliteReadModel {
    type Connection = SqliteConnection;
    type Transaction = SqliteTransaction;

    fn describe(&self) -> String {
        format!("the read models of {}", self.store.place())
    }

    async fn builds(&self, projection: &str) -> Result<Vec<Build>, Error> {
        loop {
            let next = place::next_number(self, projection).await?;
            match self.look(projection).await {
                // The file was removed under it, behind a swap.
                Err(_) if place::next_number(self, projection).await? != next => {}
                looked => return looked,
            }
        }
    }

    async fn begin_build(&self, build: &NewBuild) -> Result<Option<SqliteTransaction>, Error> {
        place::begin(self, build).await
    }

    async fn lease(&self, build: &BuildId, worker: &str, lease: Duration) -> Result<Leased, Error> {
        let Some(file) = self.file_of(build).await? else { return Ok(Leased::default()) };
        let now = self.store.env().now().as_millisecond();
        let until = now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
        let doing = format!("leasing shards of projection `{}`", build.projection);
        let leased = write(&file, &doing, async |connection| {
            lease::share_out(connection, build, worker, now, until).await
        });
        let Some((paused, rows)) = leased.await? else { return Ok(Leased::default()) };
        let shards = rows.into_iter().map(|row: LeaseRow| crate::projection::lease(&build.projection, row));
        Ok(Leased { paused, shards: shards.collect::<Result<_, _>>()? })
    }

    async fn release(&self, projection: &str, worker: &str) -> Result<(), Error> {
        let doing = format!("giving up shards of projection `{projection}`");
        for file in self.files(projection).await? {
            write(&file, &doing, async |connection| lease::release(connection, worker).await).await?;
        }
        Ok(())
    }

    async fn begin(&self, build: &BuildId, _lease: Duration) -> Result<SqliteTransaction, Error> {
        SqliteTransaction::begin(self, build).await
    }

    async fn stop(&self, build: &BuildId, lease: &ShardLease, stopped: &Stopped) -> Result<(), Error> {
        let Some(file) = self.file_of(build).await? else { return Ok(()) };
        let doing = format!("recording where projection `{}` has stopped", build.projection);
        write(&file, &doing, async |connection| {
            sqlx::query(STOP)
                .bind(integer(build.number))
                .bind(i64::from(lease.shard))
                .bind(integer(lease.epoch))
                .bind(lease.position.to_string())
                .bind(text(stopped))
                .execute(connection)
                .await
                .map(drop)
        })
        .await
    }

    async fn set_paused(&self, projection: &str, paused: bool) -> Result<(), Error> {
        let doing = format!("pausing or resuming projection `{projection}`");
        for file in self.files(projection).await? {
            write(&file, &doing, async |connection| {
                sqlx::query(PAUSE).bind(projection).bind(paused).execute(&mut *connection).await?;
                if !paused {
                    sqlx::query(GO_ON).bind(projection).execute(connection).await?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn skip(&self, projection: &str, event_id: &Id) -> Result<bool, Error> {
        let doing = format!("skipping event {event_id} in projection `{projection}`");
        let mut skipped = false;
        for file in self.files(projection).await? {
            let failed = |error| file.failed(&doing, error);
            let mut transaction = file.begin().await?;
            let found = sqlx::query_as::<_, (i64, String)>(STOPPED).bind(projection);
            let found = found.fetch_all(&mut *transaction).await.map_err(failed)?;
            for (build, json) in found {
                let stopped = stopped(projection, &json)?;
                let Some(event) = stopped.event().filter(|_| stopped.is_at(event_id)) else { continue };
                skipped = true;
                let record = sqlx::query(SKIP).bind(build).bind(event_id.to_string()).bind(text(event));
                record.execute(&mut *transaction).await.map_err(failed)?;
                let go_on = sqlx::query(SKIPPED).bind(build).bind(&json);
                go_on.execute(&mut *transaction).await.map_err(failed)?;
            }
            transaction.commit().await.map_err(failed)?;
        }
        Ok(skipped)
    }

    async fn is_skipped(&self, build: &BuildId, event_id: &Id) -> Result<bool, Error> {
        let Some(file) = self.file_of(build).await? else { return Ok(false) };
        read(&file, &looking(&build.projection), async |connection| {
            let query = sqlx::query_scalar(IS_SKIPPED).bind(integer(build.number)).bind(event_id.to_string());
            query.fetch_one(connection).await
        })
        .await
    }

    async fn passed(&self, projection: &str, limit: usize) -> Result<Vec<PassedEvent>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let doing = looking(projection);
        let rows = read(&self.store, &doing, async |connection| {
            let query = sqlx::query_as::<_, (String, bool)>(PASSED).bind(projection).bind(limit);
            query.fetch_all(connection).await
        });
        rows.await?.into_iter().map(|row| passed(projection, row)).collect()
    }

    async fn clean_up(&self, projection: &str) -> Result<(), Error> {
        place::clean_up(self, projection).await
    }

    async fn overwrite_deleted(&self) -> Result<(), Error> {
        empty_log(&self.store, "taking out what was deleted").await
    }
}

fn looking(projection: &str) -> String {
    format!("looking at projection `{projection}`")
}

/// `number`, or the greatest that a column holds.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
