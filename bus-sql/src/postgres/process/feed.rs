//! Who follows the event store, and how far.

use jiff::Timestamp;
use sqlx::PgConnection;

use crate::postgres::schema::Schema;

const CLAIM: &str = "
INSERT INTO {schema}.process_feeds AS f (process, position, owner, until_ms) VALUES ($1, '0', $2, $4)
ON CONFLICT (process) DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms
WHERE f.owner IS NULL OR f.owner = $2 OR f.until_ms <= $3
RETURNING position";

const RELEASE: &str = "
UPDATE {schema}.process_feeds SET owner = NULL, until_ms = 0 WHERE process = $1 AND owner = $2";

const POSITION: &str = "SELECT position FROM {schema}.process_feeds WHERE process = $1";

pub(super) async fn claim(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<String>, sqlx::Error> {
    let claim = sqlx::query_scalar(schema.sql(CLAIM)).bind(process).bind(owner);
    claim.bind(now.as_millisecond()).bind(until.as_millisecond()).fetch_optional(connection).await
}

pub(super) async fn release(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    owner: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(schema.sql(RELEASE)).bind(process).bind(owner).execute(connection).await.map(drop)
}

pub(super) async fn position(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(schema.sql(POSITION)).bind(process).fetch_optional(connection).await
}
