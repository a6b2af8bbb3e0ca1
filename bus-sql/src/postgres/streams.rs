//! Streams as a whole: about them, their list, and their states.

use jiff::Timestamp;
use jitney_sourcing::{Conflict, Error, ErrorKind, Expected, ListStreams, StreamId, StreamInfo, StreamState};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::append::bounds;
use super::error::{Effect, failed};
use super::refusal::{check, look_at};
use super::row::{from_usize, state};
use super::schema::Schema;

const INFO: &str = "
SELECT aggregate_id, last_sequence, last_time_ms, state FROM {schema}.streams
WHERE aggregate_type = $1 AND aggregate_id = $2";

const LIST: &str = "
SELECT aggregate_id, last_sequence, last_time_ms, state FROM {schema}.streams
WHERE aggregate_type = $1 AND aggregate_id > $2 AND ($3::smallint IS NULL OR state = $3)
ORDER BY aggregate_id LIMIT $4";

const SET_STATE: &str = "
UPDATE {schema}.streams SET state = $3
WHERE aggregate_type = $1 AND aggregate_id = $2
  AND (state = $3 OR (state = 0 AND last_sequence BETWEEN $4 AND $5) OR (state = 1 AND $3 = 0))";

/// How often a change is tried whose reason to fail has gone by the time that it is looked for.
const ATTEMPTS: usize = 10;

/// About a stream.
pub(super) async fn info(
    connection: &mut PgConnection,
    schema: &Schema,
    stream: &StreamId,
) -> Result<Option<StreamInfo>, Error> {
    let failed = |error| failed(&format!("looking at stream {stream}"), error, Effect::None);
    let query = sqlx::query(schema.sql(INFO)).bind(stream.aggregate_type()).bind(stream.aggregate_id());
    let row = query.fetch_optional(connection).await.map_err(failed)?;
    row.map(|row| about(&row, stream.aggregate_type())).transpose()
}

/// The streams that `list` asks for.
pub(super) async fn list(
    connection: &mut PgConnection,
    schema: &Schema,
    list: &ListStreams,
) -> Result<Vec<StreamInfo>, Error> {
    let doing = || format!("listing the streams of `{}`", list.aggregate_type);
    let rows = sqlx::query(schema.sql(LIST))
        .bind(&list.aggregate_type)
        .bind(list.after.as_deref().unwrap_or_default())
        .bind(list.state.map(number))
        .bind(from_usize(list.limit))
        .fetch_all(connection)
        .await
        .map_err(|error| failed(&doing(), error, Effect::None))?;
    rows.iter().map(|row| about(row, &list.aggregate_type)).collect()
}

/// Brings a stream into `state` where it is open and as `expected`, or archived and to be opened.
pub(super) async fn set_state(
    connection: &mut PgConnection,
    schema: &Schema,
    stream: &StreamId,
    expected: Expected,
    state: StreamState,
) -> Result<(), Error> {
    stream.check()?;
    let doing = || format!("changing the state of stream {stream}");
    let (least, most) = bounds(expected);
    for _ in 0..ATTEMPTS {
        let changed = sqlx::query(schema.sql(SET_STATE))
            .bind(stream.aggregate_type())
            .bind(stream.aggregate_id())
            .bind(number(state))
            .bind(least)
            .bind(most)
            .execute(&mut *connection)
            .await
            .map_err(|error| failed(&doing(), error, Effect::Possible))?;
        if changed.rows_affected() > 0 {
            return Ok(());
        }
        if look_at(connection, schema, stream).await?.is_none() {
            let (stream, expected) = (stream.clone(), Expected::Exists);
            return Err(Error::conflicting(Conflict { stream, expected, actual: 0 }));
        }
        check(connection, schema, stream, expected).await?;
    }
    let what = format!("{}: others write to it all the time; try again", doing());
    Err(Error::new(ErrorKind::Store, what).retryable(true))
}

/// How a state is written.
fn number(state: StreamState) -> i16 {
    match state {
        StreamState::Open => 0,
        StreamState::Archived => 1,
        _ => 2,
    }
}

fn about(row: &PgRow, aggregate_type: &str) -> Result<StreamInfo, Error> {
    let doing = format!("reading about a stream of `{aggregate_type}`");
    let failed = |error| failed(&doing, error, Effect::None);
    let id: String = row.try_get(0).map_err(failed)?;
    let last: i64 = row.try_get(1).map_err(failed)?;
    let time = Timestamp::from_millisecond(row.try_get(2).map_err(failed)?);
    let time = time.map_err(|error| failed(sqlx::Error::Decode(error.into())))?;
    let stream = StreamId::new(aggregate_type.to_owned(), id);
    let state = state(row.try_get(3).map_err(failed)?);
    Ok(StreamInfo::new(stream, last.unsigned_abs(), time).in_state(state))
}
