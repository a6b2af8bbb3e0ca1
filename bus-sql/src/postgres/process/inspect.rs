//! Reading processes, and removing those that have ended.

use jiff::Timestamp;
use jitney_core::Id;
use jitney_sourcing::process::{
    ListProcesses, Loaded, ProcessCounts, ProcessInfo, ProcessStep, StoredProcess,
};
use sqlx::PgConnection;

use crate::postgres::schema::Schema;
use crate::process::{self, ProcessColumns};

const LOAD: &str = "
SELECT key, version, state_version, state::text, compensations::text, completed, started_ms, updated_ms
FROM {schema}.processes WHERE process = $1 AND key = ANY($2)";

const HANDLED: &str = "
SELECT s.key, s.event_id FROM {schema}.process_steps s
JOIN unnest($2::text[], $3::text[]) AS n(key, event_id) ON s.key = n.key AND s.event_id = n.event_id
WHERE s.process = $1";

const STEPS: &str = "
SELECT event_id, what, time_ms FROM {schema}.process_steps WHERE process = $1 AND key = $2 ORDER BY step";

const LIST: &str = "
SELECT key, version, started_ms, updated_ms, (
    SELECT min(due_ms) FROM {schema}.process_deadlines d WHERE d.process = p.process AND d.key = p.key
) FROM {schema}.processes p
WHERE process = $1 AND NOT completed AND ($2::text IS NULL OR key > $2) AND ($3::bigint IS NULL OR updated_ms <= $3)
ORDER BY key LIMIT $4";

const COUNTS: &str = "
SELECT (SELECT count(*) FROM {schema}.processes WHERE process = $1 AND NOT completed), count(*), min(due_ms),
    (SELECT count(*) FROM {schema}.process_parked WHERE process = $1 AND error IS NOT NULL)
FROM {schema}.process_deadlines WHERE process = $1 AND due_ms <= $2";

const REMOVE: &str = "
WITH old AS (
    SELECT key FROM {schema}.processes WHERE process = $1 AND completed AND updated_ms < $2
    LIMIT $3 FOR UPDATE SKIP LOCKED
), steps AS (
    DELETE FROM {schema}.process_steps s USING old WHERE s.process = $1 AND s.key = old.key
)
DELETE FROM {schema}.processes p USING old WHERE p.process = $1 AND p.key = old.key";

/// The processes first: who makes a step in between moves them on, and a commit then finds that out.
pub(super) async fn load(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    inputs: &[(String, Id)],
) -> Result<Loaded, sqlx::Error> {
    let keys: Vec<_> = inputs.iter().map(|(key, _)| &**key).collect();
    let ids: Vec<_> = inputs.iter().map(|(_, id)| id.to_string()).collect();
    let load = sqlx::query_as(schema.sql(LOAD)).bind(process).bind(&keys);
    let rows: Vec<ProcessColumns> = load.fetch_all(&mut *connection).await?;
    let handled = sqlx::query_as(schema.sql(HANDLED)).bind(process).bind(&keys).bind(ids);
    let handled: Vec<(String, String)> = handled.fetch_all(connection).await?;
    Ok(Loaded {
        processes: rows.into_iter().map(process::process).collect(),
        handled: handled.into_iter().map(|(key, id)| (key, Id::from(&*id))).collect(),
    })
}

pub(super) async fn get(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    key: &str,
) -> Result<Option<StoredProcess>, sqlx::Error> {
    let load = sqlx::query_as(schema.sql(LOAD)).bind(process).bind([key]);
    Ok(load.fetch_optional(connection).await?.map(process::process))
}

pub(super) async fn steps(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    key: &str,
) -> Result<Vec<ProcessStep>, sqlx::Error> {
    let rows = sqlx::query_as(schema.sql(STEPS)).bind(process).bind(key).fetch_all(connection).await?;
    Ok(rows.into_iter().map(process::step).collect())
}

pub(super) async fn list(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    list: &ListProcesses,
) -> Result<Vec<ProcessInfo>, sqlx::Error> {
    let query = sqlx::query_as(schema.sql(LIST)).bind(process).bind(list.after.as_deref());
    let query = query.bind(list.idle_since.map(Timestamp::as_millisecond));
    let rows = query.bind(i64::try_from(list.limit).unwrap_or(i64::MAX)).fetch_all(connection).await?;
    Ok(rows.into_iter().map(process::info).collect())
}

pub(super) async fn counts(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    now: Timestamp,
) -> Result<ProcessCounts, sqlx::Error> {
    let counts = sqlx::query_as(schema.sql(COUNTS)).bind(process).bind(now.as_millisecond());
    counts.fetch_one(connection).await.map(process::counts)
}

pub(super) async fn remove_completed(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    before: Timestamp,
    limit: usize,
) -> Result<u64, sqlx::Error> {
    let remove = sqlx::query(schema.sql(REMOVE)).bind(process).bind(before.as_millisecond());
    let removed = remove.bind(i64::try_from(limit).unwrap_or(i64::MAX)).execute(connection).await?;
    Ok(removed.rows_affected())
}
