//! The tables: made, brought up to date, and never taken away.

use jitney_sourcing::{Error, ErrorKind};
use sqlx::{Connection, PgConnection, Row};

use super::epoch;
use super::error::{Effect, failed};
use super::schema::Schema;

/// What each version adds to the one before, from 1 on.
const MIGRATIONS: [&str; 9] = [
    include_str!("../../migrations/postgres/0001_event_store.sql"),
    include_str!("../../migrations/postgres/0002_outbox.sql"),
    include_str!("../../migrations/postgres/0003_projections.sql"),
    include_str!("../../migrations/postgres/0004_inbox.sql"),
    include_str!("../../migrations/postgres/0005_processes.sql"),
    include_str!("../../migrations/postgres/0006_projection_marks.sql"),
    include_str!("../../migrations/postgres/0007_inline_projections.sql"),
    include_str!("../../migrations/postgres/0008_subject_keys.sql"),
    include_str!("../../migrations/postgres/0009_pseudonyms.sql"),
];

/// The first version that has 64-bit transaction ids and snapshots of them.
const OLDEST_SERVER: i32 = 130_000;

const SERVER: &str = "SELECT current_setting('server_version_num')::integer";

/// By the tables of the catalogue: `to_regclass` and its like answer from a cache that an advisory lock does not renew.
const EXISTS: &str = "
SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1),
    EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'migrations')";

const VERSION: &str = "SELECT coalesce(max(version), 0) FROM {schema}.migrations";

/// Of two processes that start at once, one waits until the other has done the work.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('jitney ' || $1, 0))";

const CREATE_SCHEMA: &str = "CREATE SCHEMA {schema}";

const CREATE_MIGRATIONS: &str = "
CREATE TABLE {schema}.migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())";

const RECORD: &str = "INSERT INTO {schema}.migrations (version) VALUES ($1)";

/// Brings the tables up to date, and sees to it that the epoch is that of this cluster.
pub(super) async fn migrate(connection: &mut PgConnection, schema: &Schema) -> Result<(), Error> {
    let doing = format!("preparing the event store in schema `{}`", schema.name());
    let failed = |error| failed(&doing, error, Effect::None);
    let server: i32 = sqlx::query_scalar(SERVER).fetch_one(&mut *connection).await.map_err(failed)?;
    if server < OLDEST_SERVER {
        let what = format!("{doing}: the server is PostgreSQL {}; use version 13 or newer", server / 10_000);
        return Err(Error::new(ErrorKind::Config, what));
    }
    let found = Found::of(connection, schema).await.map_err(failed)?;
    // A role that may not create anything can use what is there.
    if found.missing(&doing)? > 0 {
        let mut transaction = connection.begin().await.map_err(failed)?;
        sqlx::query(LOCK).bind(schema.name()).execute(&mut *transaction).await.map_err(failed)?;
        let found = Found::of(&mut transaction, schema).await.map_err(failed)?;
        found.missing(&doing)?;
        found.complete(&mut transaction, schema).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
    }
    epoch::ensure(connection, schema).await.map_err(failed)
}

/// What is there.
struct Found {
    schema: bool,
    migrations: bool,
    version: i32,
}

impl Found {
    async fn of(connection: &mut PgConnection, schema: &Schema) -> Result<Self, sqlx::Error> {
        let row = sqlx::query(EXISTS).bind(schema.name()).fetch_one(&mut *connection).await?;
        let (in_schema, migrations) = (row.try_get(0)?, row.try_get(1)?);
        let version = match migrations {
            true => sqlx::query_scalar(schema.sql(VERSION)).fetch_one(connection).await?,
            false => 0,
        };
        Ok(Found { schema: in_schema, migrations, version })
    }

    /// How many migrations are missing.
    fn missing(&self, doing: &str) -> Result<usize, Error> {
        let version = usize::try_from(self.version).unwrap_or(usize::MAX);
        MIGRATIONS.len().checked_sub(version).ok_or_else(|| {
            let (found, known) = (self.version, MIGRATIONS.len());
            let what = format!(
                "{doing}: its tables are of version {found}, this program knows up to {known}; use a newer version of it"
            );
            Error::new(ErrorKind::NewerSchema, what)
        })
    }

    async fn complete(&self, connection: &mut PgConnection, schema: &Schema) -> Result<(), sqlx::Error> {
        if !self.schema {
            sqlx::raw_sql(schema.sql(CREATE_SCHEMA)).execute(&mut *connection).await?;
        }
        if !self.migrations {
            sqlx::raw_sql(schema.sql(CREATE_MIGRATIONS)).execute(&mut *connection).await?;
        }
        for (version, migration) in (1_i32..).zip(MIGRATIONS).filter(|(version, _)| *version > self.version) {
            sqlx::raw_sql(schema.sql(migration)).execute(&mut *connection).await?;
            sqlx::query(schema.sql(RECORD)).bind(version).execute(&mut *connection).await?;
        }
        Ok(())
    }
}
