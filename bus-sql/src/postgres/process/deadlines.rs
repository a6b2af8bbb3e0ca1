//! Deadlines.

use jiff::Timestamp;
use jitney_sourcing::process::{DueDeadlines, PendingDeadline};
use sqlx::PgConnection;

use crate::postgres::schema::Schema;
use crate::process::{DeadlineColumns, deadline};

/// Those that another one is just claiming are left to it.
const CLAIM: &str = "
WITH due AS (
    SELECT key, deadline FROM {schema}.process_deadlines
    WHERE process = $1 AND due_ms <= $2 AND claimed_ms <= $2 ORDER BY due_ms LIMIT $4 FOR UPDATE SKIP LOCKED
)
UPDATE {schema}.process_deadlines d SET claimed_ms = $3 FROM due
WHERE d.process = $1 AND d.key = due.key AND d.deadline = due.deadline
RETURNING d.key, d.deadline, d.due_ms, d.cause_id, d.metadata::text";

const NEXT: &str = "
SELECT min(due_ms) FROM {schema}.process_deadlines WHERE process = $1 AND claimed_ms <= $2";

const OF: &str = "
SELECT key, deadline, due_ms, cause_id, metadata::text FROM {schema}.process_deadlines
WHERE process = $1 AND key = $2 ORDER BY due_ms, deadline";

pub(super) async fn claim_due(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    now: Timestamp,
    until: Timestamp,
    limit: usize,
) -> Result<DueDeadlines, sqlx::Error> {
    let (now, until) = (now.as_millisecond(), until.as_millisecond());
    let claim = sqlx::query_as(schema.sql(CLAIM)).bind(process).bind(now).bind(until);
    let rows: Vec<DeadlineColumns> =
        claim.bind(i64::try_from(limit).unwrap_or(i64::MAX)).fetch_all(&mut *connection).await?;
    let mut claimed: Vec<_> = rows.into_iter().map(deadline).collect::<Result<_, _>>()?;
    claimed.sort_by_key(|pending: &PendingDeadline| pending.at);
    let next: Option<i64> =
        sqlx::query_scalar(schema.sql(NEXT)).bind(process).bind(now).fetch_one(connection).await?;
    let next = next.and_then(|next| Timestamp::from_millisecond(next).ok());
    Ok(DueDeadlines { claimed, next })
}

pub(super) async fn of(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    key: &str,
) -> Result<Vec<PendingDeadline>, sqlx::Error> {
    let rows: Vec<DeadlineColumns> =
        sqlx::query_as(schema.sql(OF)).bind(process).bind(key).fetch_all(connection).await?;
    rows.into_iter().map(deadline).collect()
}
