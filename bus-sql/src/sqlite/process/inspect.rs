//! Reading processes, and removing those that have ended.

use jiff::Timestamp;
use jitney_core::Id;
use jitney_sourcing::process::{
    ListProcesses, Loaded, ProcessCounts, ProcessInfo, ProcessStep, StoredProcess,
};
use sqlx::SqliteConnection;

use crate::process::{self, ProcessColumns};

/// The keys are one text, a JSON array: SQLite has no arrays.
const LOAD: &str = "SELECT key, version, state_version, state, compensations, completed = 1, started, updated \
                    FROM jitney_processes WHERE process = ?1 AND key IN (SELECT value FROM json_each(?2))";

/// The inputs are an array of pairs.
const HANDLED: &str = "SELECT s.key, s.event_id FROM jitney_process_steps s, json_each(?2) n \
                       WHERE s.process = ?1 AND s.key = json_extract(n.value, '$[0]') \
                       AND s.event_id = json_extract(n.value, '$[1]')";

const STEPS: &str = "SELECT event_id, what, time FROM jitney_process_steps \
                     WHERE process = ?1 AND key = ?2 ORDER BY step";

const LIST: &str = "SELECT key, version, started, updated, ( \
                        SELECT min(due) FROM jitney_process_deadlines d WHERE d.process = p.process AND d.key = p.key \
                    ) FROM jitney_processes p \
                    WHERE process = ?1 AND completed = 0 AND (?2 IS NULL OR key > ?2) AND (?3 IS NULL OR updated <= ?3) \
                    ORDER BY key LIMIT ?4";

const COUNTS: &str = "SELECT (SELECT count(*) FROM jitney_processes WHERE process = ?1 AND completed = 0), \
                          count(*), min(due), \
                          (SELECT count(*) FROM jitney_process_parked WHERE process = ?1 AND error IS NOT NULL) \
                      FROM jitney_process_deadlines WHERE process = ?1 AND due <= ?2";

const OLD: &str =
    "SELECT key FROM jitney_processes WHERE process = ?1 AND completed = 1 AND updated < ?2 LIMIT ?3";

const REMOVE: [&str; 2] = [
    "DELETE FROM jitney_process_steps WHERE process = ?1 AND key IN (SELECT value FROM json_each(?2))",
    "DELETE FROM jitney_processes WHERE process = ?1 AND key IN (SELECT value FROM json_each(?2))",
];

/// The processes first: who makes a step in between moves them on, and a commit then finds that out.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    process: &str,
    inputs: &[(String, Id)],
) -> Result<Loaded, sqlx::Error> {
    let keys: Vec<_> = inputs.iter().map(|(key, _)| key).collect();
    let load = sqlx::query_as(LOAD).bind(process).bind(json(&keys));
    let rows: Vec<ProcessColumns> = load.fetch_all(&mut *connection).await?;
    let handled = sqlx::query_as(HANDLED).bind(process).bind(json(inputs));
    let handled: Vec<(String, String)> = handled.fetch_all(connection).await?;
    Ok(Loaded {
        processes: rows.into_iter().map(process::process).collect(),
        handled: handled.into_iter().map(|(key, id)| (key, Id::from(&*id))).collect(),
    })
}

pub(super) async fn get(
    connection: &mut SqliteConnection,
    process: &str,
    key: &str,
) -> Result<Option<StoredProcess>, sqlx::Error> {
    let load = sqlx::query_as(LOAD).bind(process).bind(json(&[key]));
    Ok(load.fetch_optional(connection).await?.map(process::process))
}

pub(super) async fn steps(
    connection: &mut SqliteConnection,
    process: &str,
    key: &str,
) -> Result<Vec<ProcessStep>, sqlx::Error> {
    let rows = sqlx::query_as(STEPS).bind(process).bind(key).fetch_all(connection).await?;
    Ok(rows.into_iter().map(process::step).collect())
}

pub(super) async fn list(
    connection: &mut SqliteConnection,
    process: &str,
    list: &ListProcesses,
) -> Result<Vec<ProcessInfo>, sqlx::Error> {
    let query = sqlx::query_as(LIST).bind(process).bind(list.after.as_deref());
    let query = query.bind(list.idle_since.map(Timestamp::as_millisecond));
    let rows = query.bind(i64::try_from(list.limit).unwrap_or(i64::MAX)).fetch_all(connection).await?;
    Ok(rows.into_iter().map(process::info).collect())
}

pub(super) async fn counts(
    connection: &mut SqliteConnection,
    process: &str,
    now: Timestamp,
) -> Result<ProcessCounts, sqlx::Error> {
    let counts = sqlx::query_as(COUNTS).bind(process).bind(now.as_millisecond());
    counts.fetch_one(connection).await.map(process::counts)
}

pub(super) async fn remove_completed(
    connection: &mut SqliteConnection,
    process: &str,
    before: Timestamp,
    limit: usize,
) -> Result<u64, sqlx::Error> {
    let old = sqlx::query_scalar(OLD).bind(process).bind(before.as_millisecond());
    let old = old.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let keys: Vec<String> = old.fetch_all(&mut *connection).await?;
    for sql in REMOVE {
        sqlx::query(sql).bind(process).bind(json(&keys)).execute(&mut *connection).await?;
    }
    Ok(keys.len() as u64)
}

/// Texts as a JSON array.
fn json<T: serde::Serialize>(texts: &[T]) -> String {
    serde_json::to_string(texts).expect("texts can be written as JSON")
}
