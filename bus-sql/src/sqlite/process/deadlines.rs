//! Deadlines.

use jiff::Timestamp;
use jitney_sourcing::process::{DueDeadlines, PendingDeadline};
use sqlx::SqliteConnection;

use crate::process::{DeadlineColumns, deadline};

/// The writer's turn is the caller's: nobody else claims at the same time.
const CLAIM: &str = "UPDATE jitney_process_deadlines SET claimed = ?3 WHERE rowid IN ( \
                         SELECT rowid FROM jitney_process_deadlines \
                         WHERE process = ?1 AND due <= ?2 AND claimed <= ?2 ORDER BY due LIMIT ?4) \
                     RETURNING key, deadline, due, cause_id, metadata";

const NEXT: &str = "SELECT min(due) FROM jitney_process_deadlines WHERE process = ?1 AND claimed <= ?2";

const OF: &str = "SELECT key, deadline, due, cause_id, metadata FROM jitney_process_deadlines \
                  WHERE process = ?1 AND key = ?2 ORDER BY due, deadline";

pub(super) async fn claim_due(
    connection: &mut SqliteConnection,
    process: &str,
    now: Timestamp,
    until: Timestamp,
    limit: usize,
) -> Result<DueDeadlines, sqlx::Error> {
    let claim = sqlx::query_as(CLAIM).bind(process).bind(now.as_millisecond()).bind(until.as_millisecond());
    let rows: Vec<DeadlineColumns> =
        claim.bind(i64::try_from(limit).unwrap_or(i64::MAX)).fetch_all(&mut *connection).await?;
    let mut claimed: Vec<_> = rows.into_iter().map(deadline).collect::<Result<_, _>>()?;
    claimed.sort_by_key(|pending: &PendingDeadline| pending.at);
    Ok(DueDeadlines { claimed, next: next(connection, process, now).await? })
}

/// When the next one is due that nobody has claimed at `now`.
pub(super) async fn next(
    connection: &mut SqliteConnection,
    process: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let next = sqlx::query_scalar(NEXT).bind(process).bind(now.as_millisecond());
    let next: Option<i64> = next.fetch_one(connection).await?;
    Ok(next.and_then(|next| Timestamp::from_millisecond(next).ok()))
}

pub(super) async fn of(
    connection: &mut SqliteConnection,
    process: &str,
    key: &str,
) -> Result<Vec<PendingDeadline>, sqlx::Error> {
    let rows: Vec<DeadlineColumns> = sqlx::query_as(OF).bind(process).bind(key).fetch_all(connection).await?;
    rows.into_iter().map(deadline).collect()
}
