//! The swap: everything of the next build goes from its file into the database, in one transaction of the database.
//!
//! The connection is on the file of the build, with the database attached as `live`, so that the statements of the projection, which
//! name no database, still write into the build.

use std::time::Duration;

use jitney_sourcing::projection::BuildId;
use jitney_sourcing::{Error, ErrorKind};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection, Transaction};

use super::{SqliteReadModel, place};
use crate::sqlite::SqliteStore;

/// How long to wait for other writers of the database.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was sent in a rebuild is not to be sent; what is sent in the swap is.
const FORGET_SENT: &str = "DELETE FROM main.jitney_outbox";

const SENT: &str = "INSERT INTO live.jitney_outbox (shard, topic, key, time, body, error) \
                    SELECT shard, topic, key, time, body, error FROM main.jitney_outbox ORDER BY place";

const APPENDED: &str = "SELECT EXISTS (SELECT 1 FROM main.jitney_streams)";

/// Rows may go and come in any order; at the commit, each has what it refers to.
const DEFER: &str = "PRAGMA defer_foreign_keys = ON";

const OWNED: &str = "SELECT type, name FROM live.jitney_projection_objects WHERE projection = ?1 \
                     ORDER BY CASE type WHEN 'trigger' THEN 0 WHEN 'view' THEN 1 ELSE 2 END";

/// Tables whose rows go, or hold up others that go, with the rows of another table.
const REFERENCES: &str = "SELECT m.name, f.\"table\" FROM live.sqlite_schema m, pragma_foreign_key_list(m.name, 'live') f \
                          WHERE m.type = 'table' AND f.on_delete <> 'NO ACTION' \
                          AND lower(m.name) <> lower(f.\"table\")";

const DISOWN: &str = "DELETE FROM live.jitney_projection_objects WHERE projection = ?1";

const OWN: &str = "INSERT INTO live.jitney_projection_objects (projection, type, name) VALUES (?1, ?2, ?3)";

/// Tables before what is about them.
const OBJECTS: &str = "SELECT type, name, sql FROM main.sqlite_schema \
                       WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                       AND tbl_name NOT LIKE 'jitney\\_%' ESCAPE '\\' \
                       ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, rowid";

const UNIQUE: &str = "CREATE UNIQUE INDEX ";

/// Not those that are generated.
const COLUMNS: &str = "SELECT name FROM pragma_table_info(?1) ORDER BY cid";

/// What the library knows of the two builds: the old one's rows go, and the new one's take their place.
const RECORDS: [&str; 7] = [
    "DELETE FROM live.jitney_projection_shards WHERE build IN (SELECT build FROM live.jitney_projections WHERE projection = ?1)",
    "DELETE FROM live.jitney_projection_workers WHERE build IN (SELECT build FROM live.jitney_projections WHERE projection = ?1)",
    "DELETE FROM live.jitney_projection_passed WHERE build IN (SELECT build FROM live.jitney_projections WHERE projection = ?1)",
    "DELETE FROM live.jitney_projections WHERE projection = ?1",
    "INSERT INTO live.jitney_projections (build, projection, state, version, live_from, paused) \
     SELECT build, projection, 0, version, live_from, paused FROM main.jitney_projections WHERE projection = ?1",
    "INSERT INTO live.jitney_projection_shards (build, shard, epoch, position, handled, last_time, stopped) \
     SELECT build, shard, epoch + 1, position, handled, last_time, stopped FROM main.jitney_projection_shards \
     WHERE build IN (SELECT build FROM main.jitney_projections WHERE projection = ?1)",
    "INSERT INTO live.jitney_projection_passed (build, event_id, skipped, event) \
     SELECT build, event_id, skipped, event FROM main.jitney_projection_passed \
     WHERE build IN (SELECT build FROM main.jitney_projections WHERE projection = ?1) ORDER BY place",
];

/// Ends `transaction`, and begins one that has both files to itself.
pub(super) async fn begin(
    model: &SqliteReadModel,
    file: &SqliteStore,
    transaction: &mut Transaction<'static, Sqlite>,
) -> Result<Transaction<'static, Sqlite>, Error> {
    const DOING: &str = "beginning to swap a projection";
    let failed = |error| file.failed(DOING, error);
    let Some(live) = place::file(model).await? else {
        return Err(Error::new(ErrorKind::Unsupported, format!("{DOING}: the database is in memory")));
    };
    // What it has locked is to be free.
    sqlx::query("ROLLBACK; BEGIN").execute(&mut **transaction).await.map_err(failed)?;
    let options: SqliteConnectOptions = file.writer().connect_options().as_ref().clone();
    let live = live.to_string_lossy().into_owned();
    let pool = SqlitePoolOptions::new().max_connections(1).after_connect(move |connection, _| {
        let attach = sqlx::query("ATTACH ?1 AS live").bind(live.clone());
        Box::pin(async move { attach.execute(connection).await.map(drop) })
    });
    let pool = pool.connect_with(options.busy_timeout(PATIENCE)).await.map_err(failed)?;
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    sqlx::query(FORGET_SENT).execute(&mut *transaction).await.map_err(failed)?;
    Ok(transaction)
}

/// Replaces everything that the projection has in the database by what it has in the build.
pub(super) async fn replace(
    file: &SqliteStore,
    connection: &mut SqliteConnection,
    build: &BuildId,
) -> Result<(), Error> {
    let projection = &build.projection;
    let doing = format!("swapping projection `{projection}`");
    let failed = |error| file.failed(&doing, error);
    if sqlx::query_scalar(APPENDED).fetch_one(&mut *connection).await.map_err(failed)? {
        let what = format!(
            "{doing}: a handler has appended events, which are in the file of the build and would be lost with it; append them \
             from a process manager"
        );
        return Err(Error::new(ErrorKind::Unsupported, what));
    }
    sqlx::query(DEFER).execute(&mut *connection).await.map_err(failed)?;
    let owned = sqlx::query_as::<_, (String, String)>(OWNED).bind(projection);
    let owned = owned.fetch_all(&mut *connection).await.map_err(failed)?;
    let references = sqlx::query_as(REFERENCES).fetch_all(&mut *connection).await.map_err(failed)?;
    let owned = children_first(owned, &references).map_err(|(child, parent)| {
        let what = format!(
            "{doing}: the table `{child}` of somebody else would lose rows, as it refers to `{parent}` of the projection with an \
             action on deletion; let it have none"
        );
        Error::new(ErrorKind::Unsupported, what)
    })?;
    for (kind, name) in owned {
        let drop = format!("DROP {} IF EXISTS live.{}", kind.to_uppercase(), quoted(&name));
        run(connection, drop).await.map_err(failed)?;
    }
    for sql in [DISOWN].iter().chain(&RECORDS) {
        sqlx::query(*sql).bind(projection).execute(&mut *connection).await.map_err(failed)?;
    }
    sqlx::query(SENT).execute(&mut *connection).await.map_err(failed)?;
    let objects = sqlx::query_as::<_, (String, String, String)>(OBJECTS).fetch_all(&mut *connection).await;
    let objects = objects.map_err(failed)?;
    // What rows refer to is there, and unique, before there are rows; what is set off by rows comes behind them.
    let is_before = |(kind, _, sql): &&(String, String, String)| kind == "table" || sql.starts_with(UNIQUE);
    for object in objects.iter().filter(is_before) {
        make(connection, &doing, file, projection, object).await?;
    }
    for (_, name, _) in objects.iter().filter(|(kind, ..)| kind == "table") {
        let columns = sqlx::query_scalar::<_, String>(COLUMNS).bind(name).fetch_all(&mut *connection).await;
        let columns = columns.map_err(failed)?.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let name = quoted(name);
        let copy = format!("INSERT INTO live.{name} ({columns}) SELECT {columns} FROM main.{name}");
        run(connection, copy).await.map_err(failed)?;
    }
    for object in objects.iter().filter(|object| !is_before(object)) {
        make(connection, &doing, file, projection, object).await?;
    }
    Ok(())
}

/// Makes in the database what is in the build: a kind, a name, and the statement that made it.
async fn make(
    connection: &mut SqliteConnection,
    doing: &str,
    file: &SqliteStore,
    projection: &str,
    (kind, name, sql): &(String, String, String),
) -> Result<(), Error> {
    let failed = |error| file.failed(doing, error);
    let create = in_live(sql).ok_or_else(|| {
        let what = format!(
            "{doing}: `{name}` is a virtual table, which cannot be copied; leave it out of the projection"
        );
        Error::new(ErrorKind::Unsupported, what)
    })?;
    run(connection, create).await.map_err(failed)?;
    if kind != "index" {
        let own = sqlx::query(OWN).bind(projection).bind(kind).bind(name);
        own.execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(())
}

/// What is owned, with each table before those that its rows refer to. An error where a table of somebody else refers to one of
/// them: that, and the one.
fn children_first(
    mut owned: Vec<(String, String)>,
    references: &[(String, String)],
) -> Result<Vec<(String, String)>, (&str, &str)> {
    let is = |(kind, one): &(String, String), name: &str| kind == "table" && one.eq_ignore_ascii_case(name);
    let is_owned = |name: &str| owned.iter().any(|one| is(one, name));
    if let Some((child, parent)) =
        references.iter().find(|(child, parent)| is_owned(parent) && !is_owned(child))
    {
        return Err((child, parent));
    }
    let mut sorted = Vec::with_capacity(owned.len());
    while !owned.is_empty() {
        let is_parent = |one: &(String, String)| {
            references
                .iter()
                .any(|(child, parent)| is(one, parent) && owned.iter().any(|left| is(left, child)))
        };
        // Where they refer to each other in a circle, one has to be the first.
        let index = owned.iter().position(|one| !is_parent(one)).unwrap_or(0);
        sorted.push(owned.remove(index));
    }
    Ok(sorted)
}

async fn run(connection: &mut SqliteConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

/// The statement that makes in `live` what `sql`, as SQLite keeps it, makes in the database that it is of.
fn in_live(sql: &str) -> Option<String> {
    const STARTS: [&str; 5] = ["CREATE TABLE ", "CREATE INDEX ", UNIQUE, "CREATE VIEW ", "CREATE TRIGGER "];
    STARTS.iter().find_map(|start| sql.strip_prefix(start).map(|rest| format!("{start}live.{rest}")))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_makes_the_same_in_the_database() {
        assert_eq!(in_live("CREATE TABLE a (b)").as_deref(), Some("CREATE TABLE live.a (b)"));
        let index = in_live("CREATE UNIQUE INDEX i ON a (b)");
        assert_eq!(index.as_deref(), Some("CREATE UNIQUE INDEX live.i ON a (b)"));
        assert_eq!(in_live("CREATE VIRTUAL TABLE a USING fts5 (b)"), None);
    }
}
