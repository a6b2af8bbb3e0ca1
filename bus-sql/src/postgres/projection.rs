//! Read models in PostgreSQL.
//!
//! Each build of a projection has a schema of its own, which is first in the `search_path` of its transactions: the live one is
//! named as the projection, the next one has `__next` behind the name. The swap renames both.

mod bus;
mod inline;
mod lease;
mod place;
mod transaction;

use std::time::Duration;

use jitney_core::Id;
use jitney_sourcing::projection::{
    Build, BuildId, BuildState, Leased, NewBuild, PassedEvent, ReadModel, ShardLease, Stopped,
};
use jitney_sourcing::{Error, ErrorKind};
use sqlx::{Connection, PgConnection, PgPool};

pub use self::transaction::PostgresTransaction;
use super::error::{Effect, failed};
use super::row::{from_u64, from_usize};
use super::schema::Schema;
use super::store::PostgresStore;
use crate::projection::{LeaseRow, ShardRow, builds, passed, stopped, text};

/// The live build first, each shard by its number. One that is inline is where the store ends.
const BUILDS: &str = "
SELECT p.build, p.state::bigint, p.version, p.paused, p.inline, p.live_from,
    CASE WHEN p.inline THEN coalesce((
        SELECT e.epoch || '/' || e.tx || '/' || e.seq FROM {schema}.events e
        ORDER BY e.epoch DESC, e.tx DESC, e.seq DESC LIMIT 1
    ), '0') ELSE s.position END,
    s.handled, s.last_time_ms, s.epoch, s.worker,
    s.stopped
FROM {schema}.projections p JOIN {schema}.projection_shards s ON s.build = p.build
WHERE p.projection = $1 AND p.state < 2 ORDER BY p.state, s.shard";

/// The first one stays, of several that are met at once: whoever has seen it can skip it.
const STOP: &str = "
UPDATE {schema}.projection_shards SET stopped = $5
WHERE build = $1 AND shard = $2 AND epoch = $3 AND position = $4 AND stopped IS NULL";

const PAUSE: &str = "UPDATE {schema}.projections SET paused = $2 WHERE projection = $1 AND state < 2";

const GO_ON: &str = "
UPDATE {schema}.projection_shards SET stopped = NULL
WHERE stopped IS NOT NULL
  AND build IN (SELECT build FROM {schema}.projections WHERE projection = $1 AND state < 2)";

const STOPPED: &str = "
SELECT build, stopped FROM {schema}.projection_shards
WHERE stopped IS NOT NULL
  AND build IN (SELECT build FROM {schema}.projections WHERE projection = $1 AND state < 2)
FOR UPDATE";

const SKIP: &str = "
INSERT INTO {schema}.projection_passed (build, event_id, skipped, event) VALUES ($1, $2, true, $3)
ON CONFLICT (build, event_id) DO UPDATE SET skipped = true";

const SKIPPED: &str = "
UPDATE {schema}.projection_shards SET stopped = NULL WHERE build = $1 AND stopped = $2";

const IS_SKIPPED: &str = "
SELECT EXISTS (SELECT FROM {schema}.projection_passed WHERE build = $1 AND event_id = $2 AND skipped)";

const PASSED: &str = "
SELECT e.event, e.skipped FROM {schema}.projection_passed e
JOIN {schema}.projections p ON p.build = e.build
WHERE p.projection = $1 AND p.state = 0 ORDER BY e.place DESC LIMIT $2";

/// Keeps read models in a PostgreSQL database: that of the event store, or another one.
///
/// A projection's statements name its tables plainly; each build has a schema of its own. Readers name the table as
/// `projection.table`: `SELECT total FROM order_summary.orders`. A projection's schemas belong to it; they are dropped when a new
/// build takes its place. Roles that read are granted what they need by `ALTER DEFAULT PRIVILEGES`, since a rebuild makes new
/// tables.
///
/// ```no_run
/// use jitney_sourcing::{Projection, Projector};
/// use jitney_sql::{PostgresReadModel, PostgresStore, sqlx::PgConnection};
///
/// # async fn example(orders: impl Projection<Connection = PgConnection>) -> Result<(), jitney_sourcing::Error> {
/// let store = PostgresStore::connect("postgres://localhost/orders").await?;
/// let projector = Projector::new(store.clone(), PostgresReadModel::of(&store), orders).start().await?;
/// # projector.shutdown().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct PostgresReadModel {
    store: PostgresStore,
}

impl PostgresReadModel {
    /// Read models in the database at `url`, with their checkpoints in schema `jitney`; its tables are made where they are
    /// missing.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::connect`].
    ///
    /// # Cancellation
    ///
    /// As [`PostgresStore::connect`].
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Ok(PostgresReadModel::of(&PostgresStore::connect(url).await?))
    }

    /// The same in the database of `pool`.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::connect`].
    ///
    /// # Cancellation
    ///
    /// As [`PostgresStore::connect`].
    pub async fn from_pool(pool: PgPool) -> Result<Self, Error> {
        Ok(PostgresReadModel::of(&PostgresStore::from_pool(pool).await?))
    }

    /// The same beside the events of `store`.
    pub fn of(store: &PostgresStore) -> Self {
        PostgresReadModel { store: store.clone() }
    }

    /// The connections, for queries of the application's own.
    pub fn pool(&self) -> &PgPool {
        self.store.pool()
    }

    async fn work<T>(
        &self,
        doing: &str,
        work: impl AsyncFnOnce(&mut PgConnection, &Schema) -> Result<T, sqlx::Error>,
    ) -> Result<T, Error> {
        let mut connection = self.store.connection().await?;
        let done = work(&mut connection, self.store.schema()).await;
        done.map_err(|error| failed(doing, error, Effect::None))
    }
}

impl ReadModel for PostgresReadModel {
    type Connection = PgConnection;
    type Transaction = PostgresTransaction;

    fn describe(&self) -> String {
        format!("the read models of {}", jitney_sourcing::EventStore::describe(&self.store))
    }

    async fn builds(&self, projection: &str) -> Result<Vec<Build>, Error> {
        let doing = looking(projection);
        let rows = self.work(&doing, async |connection, schema| {
            sqlx::query_as::<_, ShardRow>(schema.sql(BUILDS)).bind(projection).fetch_all(connection).await
        });
        builds(projection, rows.await?)
    }

    async fn begin_build(&self, build: &NewBuild) -> Result<Option<PostgresTransaction>, Error> {
        place::begin(&self.store, build).await
    }

    async fn lease(&self, build: &BuildId, worker: &str, lease: Duration) -> Result<Leased, Error> {
        let doing = format!("leasing shards of projection `{}`", build.projection);
        let leased = self.work(&doing, async |connection, schema| {
            let mut transaction = connection.begin().await?;
            let leased = lease::share_out(&mut transaction, schema, build, worker, lease).await?;
            transaction.commit().await.map(|()| leased)
        });
        let Some((paused, rows)) = leased.await? else { return Ok(Leased::default()) };
        let shards = rows.into_iter().map(|row: LeaseRow| crate::projection::lease(&build.projection, row));
        Ok(Leased { paused, shards: shards.collect::<Result<_, _>>()? })
    }

    async fn release(&self, projection: &str, worker: &str) -> Result<(), Error> {
        let doing = format!("giving up shards of projection `{projection}`");
        self.work(&doing, async |connection, schema| {
            lease::release(connection, schema, projection, worker).await
        })
        .await
    }

    async fn begin(&self, build: &BuildId, lease: Duration) -> Result<PostgresTransaction, Error> {
        PostgresTransaction::begin(&self.store, build, lease).await
    }

    async fn stop(&self, build: &BuildId, lease: &ShardLease, stopped: &Stopped) -> Result<(), Error> {
        let doing = format!("recording where projection `{}` has stopped", build.projection);
        self.work(&doing, async |connection, schema| {
            sqlx::query(schema.sql(STOP))
                .bind(from_u64(build.number))
                .bind(shard(lease.shard))
                .bind(from_u64(lease.epoch))
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
        self.work(&doing, async |connection, schema| {
            let mut transaction = connection.begin().await?;
            sqlx::query(schema.sql(PAUSE)).bind(projection).bind(paused).execute(&mut *transaction).await?;
            if !paused {
                sqlx::query(schema.sql(GO_ON)).bind(projection).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        })
        .await
    }

    async fn skip(&self, projection: &str, event_id: &Id) -> Result<bool, Error> {
        let doing = format!("skipping event {event_id} in projection `{projection}`");
        let failed = |error| failed(&doing, error, Effect::None);
        let mut connection = self.store.connection().await?;
        let schema = self.store.schema();
        let mut transaction = connection.begin().await.map_err(failed)?;
        let found = sqlx::query_as::<_, (i64, String)>(schema.sql(STOPPED)).bind(projection);
        let found = found.fetch_all(&mut *transaction).await.map_err(failed)?;
        let mut skipped = false;
        for (build, json) in found {
            let stopped = stopped(projection, &json)?;
            let Some(event) = stopped.event().filter(|_| stopped.is_at(event_id)) else { continue };
            skipped = true;
            let record =
                sqlx::query(schema.sql(SKIP)).bind(build).bind(event_id.to_string()).bind(text(event));
            record.execute(&mut *transaction).await.map_err(failed)?;
            let go_on = sqlx::query(schema.sql(SKIPPED)).bind(build).bind(&json);
            go_on.execute(&mut *transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        Ok(skipped)
    }

    async fn is_skipped(&self, build: &BuildId, event_id: &Id) -> Result<bool, Error> {
        self.work(&looking(&build.projection), async |connection, schema| {
            let query = sqlx::query_scalar(schema.sql(IS_SKIPPED)).bind(from_u64(build.number));
            query.bind(event_id.to_string()).fetch_one(connection).await
        })
        .await
    }

    async fn passed(&self, projection: &str, limit: usize) -> Result<Vec<PassedEvent>, Error> {
        let doing = looking(projection);
        let rows = self.work(&doing, async |connection, schema| {
            let query = sqlx::query_as::<_, (String, bool)>(schema.sql(PASSED)).bind(projection);
            query.bind(from_usize(limit)).fetch_all(connection).await
        });
        rows.await?.into_iter().map(|row| passed(projection, row)).collect()
    }

    async fn clean_up(&self, projection: &str) -> Result<(), Error> {
        place::clean_up(&self.store, projection).await
    }
}

fn looking(projection: &str) -> String {
    format!("looking at projection `{projection}`")
}

/// The number of a shard in a column.
fn shard(number: u16) -> i16 {
    i16::try_from(number).unwrap_or(i16::MAX)
}

/// The schema of a build.
fn schema_of(projection: &str, state: BuildState) -> Result<Schema, Error> {
    let name = match state {
        BuildState::Live => projection.to_owned(),
        _ => format!("{projection}__next"),
    };
    Schema::new(&name).map_err(|error| {
        let what = format!("using a schema for projection `{projection}`");
        Error::new(ErrorKind::Config, what).with_source(error)
    })
}
