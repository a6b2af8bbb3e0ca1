//! Who follows the event store, and how far.

use jiff::Timestamp;
use sqlx::SqliteConnection;

const CLAIM: &str = "INSERT INTO jitney_process_feeds AS f (process, position, owner, until) VALUES (?1, '0', ?2, ?4) \
                     ON CONFLICT (process) DO UPDATE SET owner = excluded.owner, until = excluded.until \
                     WHERE f.owner IS NULL OR f.owner = ?2 OR f.until <= ?3 \
                     RETURNING position";

const RELEASE: &str =
    "UPDATE jitney_process_feeds SET owner = NULL, until = 0 WHERE process = ?1 AND owner = ?2";

const POSITION: &str = "SELECT position FROM jitney_process_feeds WHERE process = ?1";

pub(super) async fn claim(
    connection: &mut SqliteConnection,
    process: &str,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<String>, sqlx::Error> {
    let claim = sqlx::query_scalar(CLAIM).bind(process).bind(owner);
    claim.bind(now.as_millisecond()).bind(until.as_millisecond()).fetch_optional(connection).await
}

pub(super) async fn release(
    connection: &mut SqliteConnection,
    process: &str,
    owner: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(RELEASE).bind(process).bind(owner).execute(connection).await.map(drop)
}

pub(super) async fn position(
    connection: &mut SqliteConnection,
    process: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(POSITION).bind(process).fetch_optional(connection).await
}
