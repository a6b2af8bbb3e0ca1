//! Reads: parts of one stream, and all events in the order of the store.

use std::borrow::Cow;
use std::cmp::Ordering;

use futures_util::TryStreamExt;
use jitney_core::Id;
use jitney_sourcing::{
    Direction, Error, ErrorKind, Filter, Page, Position, ReadStream, StoredEvent, StreamId,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row, ValueRef};

use super::error::{Effect, failed};
use super::row::{COLUMNS, event, event_with_stream, from_u64, from_usize, id_and_metadata, place, position};
use super::schema::Schema;
use crate::correlation;

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

/// Events whose chains have the same number, the newest first.
const OF_CORRELATION: &str = "
SELECT e.epoch, e.tx, e.seq, e.event_id, e.metadata FROM {schema}.events e
WHERE e.correlation = $1 AND (e.epoch, e.tx, e.seq) < ($2, $3, $4)
ORDER BY e.epoch DESC, e.tx DESC, e.seq DESC LIMIT 16";

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
    let mut rows = sqlx::query(sql)
        .bind(stream.aggregate_type())
        .bind(stream.aggregate_id())
        .bind(from_u64(read.from))
        .bind(from_usize(read.limit))
        .fetch(connection);
    let mut events = Vec::new();
    let failed = |error| failed(&format!("reading stream {stream}"), error, Effect::None);
    // Decoded as they come, while the server makes the next ones.
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        events.push(event(&row, stream)?);
    }
    Ok(events)
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
    row.map(|row| event(&row, stream)).transpose()
}

/// The position of the newest event, whether or not it can be read yet.
pub(super) async fn end(connection: &mut PgConnection, schema: &Schema) -> Result<Position, Error> {
    let failed = |error| failed("looking for the end of all events", error, Effect::None);
    let row = sqlx::query(schema.sql(END)).fetch_optional(connection).await.map_err(failed)?;
    let place = row.map(|row| place_of(&row, 0)).transpose().map_err(failed)?;
    Ok(place.and_then(position).unwrap_or(Position::START))
}

/// The position of the newest event of a correlation id, whether or not it can be read yet.
pub(super) async fn end_of_correlation(
    connection: &mut PgConnection,
    schema: &Schema,
    correlation_id: &Id,
) -> Result<Option<Position>, Error> {
    let doing = format!("looking for the last event of correlation {correlation_id}");
    let failed = |error| failed(&doing, error, Effect::None);
    let mut before = [i64::MAX; 3];
    loop {
        let [epoch, tx, seq] = before;
        let rows = sqlx::query(schema.sql(OF_CORRELATION))
            .bind(correlation::number_of(correlation_id))
            .bind(epoch)
            .bind(tx)
            .bind(seq)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
        let Some(last) = rows.last() else { return Ok(None) };
        for row in &rows {
            let (event_id, metadata) = id_and_metadata(row)
                .map_err(|error| Error::new(ErrorKind::Decode, doing.clone()).with_source(error))?;
            if correlation::chain(&metadata, &event_id) == correlation_id {
                return Ok(position(place_of(row, 0).map_err(failed)?));
            }
        }
        before = place_of(last, 0).map_err(failed)?;
    }
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
    let mut rows = sqlx::query(schema.sql(&statement(filter)))
        .bind(epoch)
        .bind(tx)
        .bind(seq)
        .bind(from_usize(limit))
        .bind(names(&filter.aggregate_types))
        .bind(names(&filter.event_types))
        .fetch(connection);
    let (mut end, mut events) = (End::default(), Vec::with_capacity(limit.min(MOST_AT_FIRST)));
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        if row.try_get_raw(IS_EVENT).map_err(failed)?.is_null() {
            end = End::of(&row).map_err(failed)?;
        } else {
            events.push(event_with_stream(&row)?);
        }
    }
    if end.epoch < epoch {
        let what = format!(
            "reading all events behind `{after}`: the database has not come so far; it was restored from an older one: \
             read again from the start"
        );
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    // They come in this order, as the index has it, and no word of SQL promises that.
    events.sort_by(|a, b| a.position().partial_cmp(b.position()).unwrap_or(Ordering::Equal));
    if events.len() >= limit {
        let position = events.last().map_or(after, StoredEvent::position).clone();
        return Ok(Page::new(events, position, false));
    }
    let last = position(end.last).unwrap_or(Position::START);
    let position = if last.has_reached(after) { last } else { after.clone() };
    Ok(Page::new(events, position, true))
}

/// Room for so many events is made before they are there.
const MOST_AT_FIRST: usize = 1_024;

/// The column of [`statement`] that is null in the row that is no event: that of the event's id.
const IS_EVENT: usize = 4;

/// How far all events can be read at the moment.
#[derive(Debug, Default)]
struct End {
    epoch: i64,
    /// The place of the last event that can be read; zeros where there is none.
    last: [i64; 3],
}

impl End {
    /// Of the row of [`statement`] that is no event.
    fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        let last = if row.try_get_raw(0)?.is_null() { [0; 3] } else { place_of(row, 0)? };
        Ok(End { epoch: row.try_get(3)?, last })
    }
}

/// The statement for what `filter` asks for: the events with their streams, and one row that is none, with the last place
/// that can be read and the epoch.
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
        "WITH {WATERMARK}
        (SELECT last.epoch, last.tx, last.seq, w.epoch, NULL, NULL, NULL::bigint, NULL::bigint, NULL::bigint,
            NULL::json, NULL::json, NULL, NULL
        FROM w LEFT JOIN (
            SELECT e.epoch, e.tx, e.seq FROM {{schema}}.events e WHERE {BELOW}
            ORDER BY e.epoch DESC, e.tx DESC, e.seq DESC LIMIT 1
        ) AS last ON true)
        UNION ALL
        (SELECT * FROM (
            SELECT {COLUMNS}, e.aggregate_type, e.aggregate_id FROM {{schema}}.events e
            WHERE (e.epoch, e.tx, e.seq) > ($1, $2, $3) AND {types} AND {events} {archived}
            ORDER BY e.epoch, e.tx, e.seq LIMIT $4
        ) AS e WHERE {BELOW})"
    )
}

fn names<'a>(names: &'a [Cow<'static, str>]) -> Vec<&'a str> {
    names.iter().map(|name| &**name).collect()
}

fn place_of(row: &PgRow, first: usize) -> Result<[i64; 3], sqlx::Error> {
    Ok([row.try_get(first)?, row.try_get(first + 1)?, row.try_get(first + 2)?])
}
