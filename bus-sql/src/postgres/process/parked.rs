//! Inputs that were put aside.

use jitney_core::Id;
use jitney_sourcing::process::ParkedInput;
use sqlx::{PgConnection, SqlStr};

use crate::postgres::schema::Schema;
use crate::process::{ParkedColumns, parked};

/// Puts it aside, in place of what names it.
const PARK: &str = "
INSERT INTO {schema}.process_parked (process, event_id, aggregate_type, aggregate_id, what, error, time_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (process, event_id) DO UPDATE SET aggregate_type = excluded.aggregate_type,
    aggregate_id = excluded.aggregate_id, what = excluded.what, error = excluded.error, time_ms = excluded.time_ms";

/// Names one that is to be; `error` is none.
const NAME: &str = "
INSERT INTO {schema}.process_parked (process, event_id, aggregate_type, aggregate_id, what, error, time_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (process, event_id) DO NOTHING";

const GET: &str = "
SELECT event_id, aggregate_type, aggregate_id, what, error, time_ms FROM {schema}.process_parked
WHERE process = $1 AND event_id = $2";

const LIST: &str = "
SELECT event_id, aggregate_type, aggregate_id, what, error, time_ms FROM {schema}.process_parked
WHERE process = $1 AND error IS NOT NULL ORDER BY time_ms, event_id LIMIT $2";

const REMOVE: &str = "DELETE FROM {schema}.process_parked WHERE process = $1 AND event_id = $2";

pub(super) async fn park(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    input: &ParkedInput,
) -> Result<(), sqlx::Error> {
    insert(connection, schema.sql(PARK), process, input).await
}

pub(super) async fn name(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    input: &ParkedInput,
) -> Result<(), sqlx::Error> {
    insert(connection, schema.sql(NAME), process, input).await
}

async fn insert(
    connection: &mut PgConnection,
    sql: SqlStr,
    process: &str,
    input: &ParkedInput,
) -> Result<(), sqlx::Error> {
    let stream = input.stream.as_ref();
    let insert = sqlx::query(sql)
        .bind(process)
        .bind(text(&input.event_id.to_string()))
        .bind(stream.map(|stream| text(stream.aggregate_type())))
        .bind(stream.map(|stream| text(stream.aggregate_id())))
        .bind(text(&input.what))
        .bind(input.error.as_deref().map(text))
        .bind(input.at.as_millisecond());
    insert.execute(connection).await.map(drop)
}

pub(super) async fn get(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    event_id: &Id,
) -> Result<Option<ParkedInput>, sqlx::Error> {
    let get = sqlx::query_as(schema.sql(GET)).bind(process).bind(text(&event_id.to_string()));
    let row: Option<ParkedColumns> = get.fetch_optional(connection).await?;
    Ok(row.map(parked))
}

pub(super) async fn list(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    limit: usize,
) -> Result<Vec<ParkedInput>, sqlx::Error> {
    let list = sqlx::query_as(schema.sql(LIST)).bind(process);
    let rows: Vec<ParkedColumns> =
        list.bind(i64::try_from(limit).unwrap_or(i64::MAX)).fetch_all(connection).await?;
    Ok(rows.into_iter().map(parked).collect())
}

pub(super) async fn remove(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    event_id: &Id,
) -> Result<(), sqlx::Error> {
    let remove = sqlx::query(schema.sql(REMOVE)).bind(process).bind(text(&event_id.to_string()));
    remove.execute(connection).await.map(drop)
}

/// `value` as the server takes it: an event may be put aside for what the server refuses.
fn text(value: &str) -> String {
    value.replace('\0', "\u{fffd}")
}
