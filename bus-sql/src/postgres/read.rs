//! Reads: parts of one stream, and all events in the order of the store.

use std::borrow::Cow;
use std::cmp::Ordering;

use jitney_core::Id;
use jitney_sourcing::{
    Direction, Error, ErrorKind, Filter, Page, Position, ReadStream, StoredEvent, StreamId,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::error::{Effect, failed};
use super::row::{COLUMN_COUNT, COLUMNS, event, from_u64, from_usize, place, position};
use super::schema::Schema;

/// The place in front of the oldest transaction that runs, in the snapshot of the statement that it is part of.
pub(super) const WATERMARK: &str = "
w AS MATERIALIZED (
    SELECT (SELECT max(epoch) FROM {schema}.epochs) AS epoch,
        pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS tx
)";

/// What can be read is below.
pub(super) const BELOW: &str = "(e.epoch, e.tx) < ((SELECT epoch FROM w), (SELECT tx FROM w))";

const OF_STREAM: &str = "
FROM {schema}.events e
WHERE e.stream = (SELECT stream FROM {schema}.streams WHERE aggregate_type = $1 AND aggregate_id = $2)";

const END: &str = "
SELECT e.epoch, e.tx, e.seq FROM {schema}.events e ORDER BY e.epoch DESC, e.tx DESC, e.seq DESC LIMIT 1";

/// Reads a part of a stream.
pub(super) async fn stream(
    connection: &mut PgConnection,
    schema: &Schema,
    stream: &StreamId,
    read: ReadStream,
) -> Result<Vec<StoredEvent>, Error> {
    let part = match read.direction {
        Direction::Forward => "e.sequence >= $3 ORDER BY e.sequence",
        Direction::Backward => "e.sequence <= $3 ORDER BY e.sequence DESC",
    };
    let sql = schema.sql(&format!("SELECT {COLUMNS} {OF_STREAM} AND {part} LIMIT $4"));
    let rows = sqlx::query(sql)
        .bind(stream.aggregate_type())
        .bind(stream.aggregate_id())
        .bind(from_u64(read.from))
        .bind(from_usize(read.limit))
        .fetch_all(connection)
        .await
        .map_err(|error| failed(&format!("reading stream {stream}"), error, Effect::None))?;
    rows.iter().map(|row| event(row, 0, stream)).collect()
}

/// Finds the event of an id in a stream.
pub(super) async fn find(
    connection: &mut PgConnection,
    schema: &Schema,
    stream: &StreamId,
    id: &Id,
) -> Result<Option<StoredEvent>, Error> {
    let sql = schema.sql(&format!("SELECT {COLUMNS} {OF_STREAM} AND e.event_id = $3"));
    let row = sqlx::query(sql)
        .bind(stream.aggregate_type())
        .bind(stream.aggregate_id())
        .bind(id.to_string())
        .fetch_optional(connection)
        .await
        .map_err(|error| {
            failed(&format!("looking for event {id} in stream {stream}"), error, Effect::None)
        })?;
    row.map(|row| event(&row, 0, stream)).transpose()
}

/// The position of the newest event, whether or not it can be read yet.
pub(super) async fn end(connection: &mut PgConnection, schema: &Schema) -> Result<Position, Error> {
    let failed = |error| failed("looking for the end of all events", error, Effect::None);
    let row = sqlx::query(schema.sql(END)).fetch_optional(connection).await.map_err(failed)?;
    let place = row.map(|row| place_of(&row, 0)).transpose().map_err(failed)?;
    Ok(place.and_then(position).unwrap_or(Position::START))
}

/// Reads up to `limit` events behind `after`.
pub(super) async fn all(
    connection: &mut PgConnection,
    schema: &Schema,
    after: &Position,
    filter: &Filter,
    limit: usize,
) -> Result<Page, Error> {
    let failed = |error| failed(&format!("reading all events behind `{after}`"), error, Effect::None);
    let [epoch, tx, seq] = place(after)?;
    let rows = sqlx::query(schema.sql(&statement(filter)))
        .bind(epoch)
        .bind(tx)
        .bind(seq)
        .bind(from_usize(limit))
        .bind(names(&filter.aggregate_types))
        .bind(names(&filter.event_types))
        .fetch_all(connection)
        .await
        .map_err(failed)?;
    // There is one at least, with the epoch and the last place that can be read.
    if let Some(row) = rows.first()
        && row.try_get::<i64, _>(0).map_err(failed)? < epoch
    {
        let what = format!(
            "reading all events behind `{after}`: the database has not come so far; it was restored from an older one: \
             read again from the start"
        );
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    let events = rows.iter().map(read_event).filter_map(Result::transpose);
    let mut events: Vec<_> = events.collect::<Result<_, _>>()?;
    // They come in this order, as the index has it, and no word of SQL promises that.
    events.sort_by(|a, b| a.position().partial_cmp(b.position()).unwrap_or(Ordering::Equal));
    if events.len() >= limit {
        let position = events.last().map_or(after, StoredEvent::position).clone();
        return Ok(Page::new(events, position, false));
    }
    let last = match rows.first() {
        Some(row) if row.try_get::<Option<i64>, _>(1).map_err(failed)?.is_some() => {
            place_of(row, 1).map_err(failed)?
        }
        _ => [0; 3],
    };
    let last = position(last).unwrap_or(Position::START);
    let position = if last.has_reached(after) { last } else { after.clone() };
    Ok(Page::new(events, position, true))
}

/// The statement for what `filter` asks for: the epoch, the last place that can be read, and the events with their streams.
fn statement(filter: &Filter) -> String {
    let types = if filter.aggregate_types.is_empty() {
        "$5::text[] IS NOT NULL"
    } else {
        "e.aggregate_type = ANY ($5)"
    };
    let events =
        if filter.event_types.is_empty() { "$6::text[] IS NOT NULL" } else { "e.event_type = ANY ($6)" };
    // No join: where nothing is known of the tables yet, the planner would sort all events for each page.
    let archived = if filter.archived {
        ""
    } else {
        "AND coalesce(
            (SELECT s.state FROM {schema}.streams s WHERE s.stream = e.stream AND s.state = 1), 0) <> 1"
    };
    // The watermark is outside of the limit: inside, the index would be read on to its end behind it.
    format!(
        "WITH {WATERMARK}, last AS (
            SELECT e.epoch, e.tx, e.seq FROM {{schema}}.events e WHERE {BELOW}
            ORDER BY e.epoch DESC, e.tx DESC, e.seq DESC LIMIT 1
        ), page AS (
            SELECT * FROM (
                SELECT {COLUMNS}, e.aggregate_type, e.aggregate_id FROM {{schema}}.events e
                WHERE (e.epoch, e.tx, e.seq) > ($1, $2, $3) AND {types} AND {events} {archived}
                ORDER BY e.epoch, e.tx, e.seq LIMIT $4
            ) AS e WHERE {BELOW}
        )
        SELECT w.epoch, last.epoch, last.tx, last.seq, page.* FROM w
        LEFT JOIN last ON true LEFT JOIN page ON true"
    )
}

fn names<'a>(names: &'a [Cow<'static, str>]) -> Vec<&'a str> {
    names.iter().map(|name| &**name).collect()
}

/// The event of a row of [`statement`]; none where there is nothing to read.
fn read_event(row: &PgRow) -> Result<Option<StoredEvent>, Error> {
    const FIRST: usize = 4;
    let failed = |error| failed("reading all events", error, Effect::None);
    if row.try_get::<Option<i64>, _>(FIRST).map_err(failed)?.is_none() {
        return Ok(None);
    }
    let text = |column| row.try_get::<String, _>(column).map_err(failed);
    let stream = StreamId::new(text(FIRST + COLUMN_COUNT)?, text(FIRST + COLUMN_COUNT + 1)?);
    event(row, FIRST, &stream).map(Some)
}

fn place_of(row: &PgRow, first: usize) -> Result<[i64; 3], sqlx::Error> {
    Ok([row.try_get(first)?, row.try_get(first + 1)?, row.try_get(first + 2)?])
}
