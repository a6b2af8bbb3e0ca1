//! Transactions of a build: what is applied, and the checkpoint with it.

use std::time::Duration;

use jitney_sourcing::projection::{Build, BuildId, ReadModelTransaction, Step};
use jitney_sourcing::{Error, ErrorKind};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Transaction};

use super::{BUILDS, inline, looking, place, schema_of, shard};
use crate::postgres::error::{Effect, failed, is_behind_a_failure};
use crate::postgres::row::from_u64;
use crate::postgres::store::PostgresStore;
use crate::projection::{ShardRow, builds, number, text};

/// What somebody else commits is seen by the next statement, whatever the database's default is.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Puts the schema of the build in front of whatever the connection looks into.
const IN_PLACE: &str =
    "SELECT set_config('search_path', quote_ident($1) || ', ' || current_setting('search_path'), true)";

/// The row is locked by it until the transaction ends: another one that tries waits, and finds that it has lost.
const ADVANCE: &str = "
UPDATE {schema}.projection_shards s
SET position = $5, handled = s.handled + $6, last_time_ms = coalesce($7, s.last_time_ms)
FROM {schema}.projections p
WHERE s.build = $1 AND s.shard = $2 AND s.epoch = $3 AND s.position = $4
  AND p.build = s.build AND p.state = $8 AND NOT p.paused AND NOT p.inline
RETURNING set_config('search_path', quote_ident($9) || ', ' || current_setting('search_path'), true)";

const LOCK: &str = "
SELECT FROM {schema}.projection_shards
WHERE build IN (SELECT build FROM {schema}.projections WHERE projection = $1 AND state < 2)
ORDER BY build, shard FOR UPDATE";

const PASS: &str = "
INSERT INTO {schema}.projection_passed (build, event_id, skipped, event) VALUES ($1, $2, $3, $4)
ON CONFLICT (build, event_id) DO NOTHING";

/// In a transaction that has failed, the server answers a commit by a rollback, and says nothing of it. This is refused there.
const IS_WHOLE: &str = "SELECT 1";

/// A transaction of a [`PostgresReadModel`](super::PostgresReadModel).
#[derive(Debug)]
pub struct PostgresTransaction {
    pub(super) store: PostgresStore,
    pub(super) transaction: Transaction<'static, Postgres>,
    pub(super) build: BuildId,
    /// Whether the build takes events of a bus, as it was seen in this transaction.
    pub(super) is_open: bool,
}

impl PostgresTransaction {
    pub(super) async fn begin(
        store: &PostgresStore,
        build: &BuildId,
        lease: Duration,
    ) -> Result<Self, Error> {
        // What the server takes at most.
        let lease = i32::try_from(lease.as_millis()).unwrap_or(i32::MAX);
        let begin = format!("{BEGIN}; SET LOCAL idle_in_transaction_session_timeout = {lease}");
        let begun = store.pool().begin_with(AssertSqlSafe(begin)).await;
        let transaction = begun.map_err(|error| failed(&doing(build), error, Effect::None))?;
        Ok(PostgresTransaction::of(store, transaction, build.clone()))
    }

    pub(super) fn of(
        store: &PostgresStore,
        transaction: Transaction<'static, Postgres>,
        build: BuildId,
    ) -> Self {
        PostgresTransaction { store: store.clone(), transaction, build, is_open: false }
    }

    /// The same with the schema of the build in its `search_path`.
    pub(super) async fn in_place(mut self) -> Result<Self, Error> {
        self.go_in_place().await?;
        Ok(self)
    }

    async fn go_in_place(&mut self) -> Result<(), Error> {
        let place = schema_of(&self.build.projection, self.build.state)?;
        let go = sqlx::query(IN_PLACE).bind(place.name()).execute(&mut *self.transaction).await;
        go.map(drop).map_err(|error| failed(&doing(&self.build), error, Effect::None))
    }
}

impl ReadModelTransaction for PostgresTransaction {
    type Connection = PgConnection;

    fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    async fn advance(&mut self, step: &Step<'_>) -> Result<bool, Error> {
        let doing = doing(&self.build);
        let failed = |error| failed(&doing, error, Effect::None);
        let place = schema_of(&self.build.projection, self.build.state)?;
        let schema = self.store.schema();
        let moved = sqlx::query(schema.sql(ADVANCE))
            .bind(from_u64(self.build.number))
            .bind(shard(step.shard))
            .bind(from_u64(step.epoch))
            .bind(step.from.to_string())
            .bind(step.to.to_string())
            .bind(from_u64(step.handled))
            .bind(step.last_time.map(|time| time.as_millisecond()))
            .bind(number(self.build.state))
            .bind(place.name())
            .fetch_optional(&mut *self.transaction)
            .await
            .map_err(failed)?;
        if moved.is_none() {
            return Ok(false);
        }
        if let Some(passed) = step.passed {
            sqlx::query(schema.sql(PASS))
                .bind(from_u64(self.build.number))
                .bind(passed.event.event_id.to_string())
                .bind(passed.skipped)
                .bind(text(&passed.event))
                .execute(&mut *self.transaction)
                .await
                .map_err(failed)?;
        }
        Ok(true)
    }

    async fn lock(&mut self) -> Result<Vec<Build>, Error> {
        let (projection, schema) = (&*self.build.projection.clone(), &self.store.schema().clone());
        let failed = |error| failed(&looking(projection), error, Effect::None);
        // Before this transaction has an id: nothing that was appended has a later one.
        let is_inline = inline::is_inline(&mut self.transaction, schema, projection).await.map_err(failed)?;
        if is_inline {
            inline::hold_up_appends(&mut self.transaction, schema, projection).await?;
        }
        self.go_in_place().await?;
        place::lock(&mut self.transaction, schema, projection).await.map_err(failed)?;
        let lock = sqlx::query(schema.sql(LOCK)).bind(projection).execute(&mut *self.transaction);
        lock.await.map_err(failed)?;
        let rows = sqlx::query_as::<_, ShardRow>(schema.sql(BUILDS)).bind(projection);
        let rows = rows.fetch_all(&mut *self.transaction).await.map_err(failed)?;
        let builds = builds(projection, rows)?;
        // It has become inline meanwhile: what is appended beside would be missed.
        let is_missed = builds.iter().any(|build| build.inline) && !is_inline;
        Ok(if is_missed { Vec::new() } else { builds })
    }

    async fn replace(&mut self) -> Result<bool, Error> {
        place::replace(&mut self.transaction, self.store.schema(), &self.build.projection).await
    }

    async fn commit(mut self) -> Result<(), Error> {
        let whole = sqlx::query(IS_WHOLE).execute(&mut *self.transaction).await;
        whole.map_err(|error| not_whole(&self.build, error))?;
        let committed = self.transaction.commit().await;
        committed.map_err(|error| failed(&doing(&self.build), error, Effect::Possible))
    }
}

fn not_whole(build: &BuildId, error: sqlx::Error) -> Error {
    let doing = doing(build);
    if !is_behind_a_failure(&error) {
        return failed(&doing, error, Effect::None);
    }
    let what = format!(
        "{doing}: one of the statements has failed, and the handler went on behind it; return the error, or try the statement in a \
         savepoint"
    );
    Error::new(ErrorKind::Projection, what).with_source(error)
}

pub(super) fn doing(build: &BuildId) -> String {
    format!("applying events to projection `{}`", build.projection)
}
