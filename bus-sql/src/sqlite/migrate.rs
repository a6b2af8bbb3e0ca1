//! The schema: embedded, by version, brought up to date by one process at a time.

use jitney_sourcing::{Error, ErrorKind};
use sqlx::SqliteConnection;

use super::SqliteStore;

/// What brings the schema from the version before to the next one, from 1 on. What was released is never changed.
const MIGRATIONS: [(&str, &str); 9] = [
    ("events", include_str!("../../migrations/sqlite/0001_events.sql")),
    ("outbox", include_str!("../../migrations/sqlite/0002_outbox.sql")),
    ("projections", include_str!("../../migrations/sqlite/0003_projections.sql")),
    ("inbox", include_str!("../../migrations/sqlite/0004_inbox.sql")),
    ("processes", include_str!("../../migrations/sqlite/0005_processes.sql")),
    ("projection marks", include_str!("../../migrations/sqlite/0006_projection_marks.sql")),
    ("inline projections", include_str!("../../migrations/sqlite/0007_inline_projections.sql")),
    ("subject keys", include_str!("../../migrations/sqlite/0008_subject_keys.sql")),
    ("pseudonyms", include_str!("../../migrations/sqlite/0009_pseudonyms.sql")),
];

const DOING: &str = "migrating the schema";

/// Brings the schema up to date. Where it is, nothing is written.
pub(super) async fn migrate(store: &SqliteStore) -> Result<(), Error> {
    let failed = |error| store.failed(DOING, error);
    let mut connection = store.readers().acquire().await.map_err(failed)?;
    let current = version(&mut connection).await.map_err(failed)?;
    drop(connection);
    if missing(store, current)?.is_empty() {
        return Ok(());
    }
    // Another process may have come first: the version counts that is read under the lock.
    let mut transaction = store.begin().await?;
    let current = version(&mut transaction).await.map_err(failed)?;
    for (step, (name, sql)) in (current + 1..).zip(missing(store, current)?) {
        if step == 1 {
            let table =
                "CREATE TABLE jitney_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT";
            sqlx::query(table).execute(&mut *transaction).await.map_err(failed)?;
        }
        sqlx::raw_sql(*sql).execute(&mut *transaction).await.map_err(failed)?;
        let record = sqlx::query("INSERT INTO jitney_migrations (version, name) VALUES (?1, ?2)");
        record.bind(step).bind(*name).execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// The version of the schema; 0 where there is none.
async fn version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let table = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'jitney_migrations'";
    if sqlx::query_scalar::<_, i64>(table).fetch_one(&mut *connection).await? == 0 {
        return Ok(0);
    }
    let version = "SELECT coalesce(max(version), 0) FROM jitney_migrations";
    sqlx::query_scalar(version).fetch_one(connection).await
}

/// What a schema of version `current` lacks.
fn missing(store: &SqliteStore, current: i64) -> Result<&'static [(&'static str, &'static str)], Error> {
    usize::try_from(current).ok().and_then(|current| MIGRATIONS.get(current..)).ok_or_else(|| {
        let (place, known) = (store.place(), MIGRATIONS.len());
        let what = format!(
            "opening the event store in {place}: its schema is of version {current}, and this program knows versions up \
             to {known}; use the version of jitney-sql that has migrated it, or a later one"
        );
        Error::new(ErrorKind::NewerSchema, what)
    })
}
