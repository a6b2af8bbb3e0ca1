//! Reading: a stream, one of its events, and all events in their order.

use std::borrow::Cow;
use std::sync::LazyLock;

use futures_util::TryStreamExt;
use jitney_core::Id;
use jitney_sourcing::{
    Direction, Error, ErrorKind, Filter, Page, Position, ReadStream, StoredEvent, StreamId, StreamState,
};
use sqlx::{Row, SqliteConnection};

use super::error::damaged;
use super::row::{BEHIND, COLUMNS, event, metadata, position};
use super::{SqliteStore, streams};
use crate::correlation;

static FORWARD: LazyLock<String> = LazyLock::new(|| stream_sql(">=", "ASC"));
static BACKWARD: LazyLock<String> = LazyLock::new(|| stream_sql("<=", "DESC"));

/// A stream without events in the range gives one row, which says where the stream is.
fn stream_sql(from: &str, order: &str) -> String {
    format!(
        "SELECT {COLUMNS}, s.last_sequence FROM jitney_streams s \
         LEFT JOIN jitney_events e ON e.stream = s.id AND e.sequence {from} ?3 \
         WHERE s.aggregate_type = ?1 AND s.aggregate_id = ?2 ORDER BY e.sequence {order} LIMIT ?4"
    )
}

pub(super) async fn read_stream(
    store: &SqliteStore,
    stream: &StreamId,
    read: ReadStream,
) -> Result<Vec<StoredEvent>, Error> {
    let failed = |error| store.failed(&format!("reading stream {stream}"), error);
    let sql = match read.direction {
        Direction::Forward => &FORWARD,
        Direction::Backward => &BACKWARD,
    };
    let mut rows = sqlx::query(sql.as_str())
        .bind(stream.aggregate_type())
        .bind(stream.aggregate_id())
        .bind(clamped(read.from))
        .bind(i64::try_from(read.limit).unwrap_or(i64::MAX))
        .fetch(store.readers());
    let mut events = Vec::new();
    let mut next = read.from.max(1);
    let mut last = 0;
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        if events.is_empty() {
            last = u64::try_from(row.try_get::<i64, _>(BEHIND).map_err(failed)?).unwrap_or_default();
            if read.direction == Direction::Backward {
                next = read.from.min(last);
            }
        }
        if row.try_get::<Option<i64>, _>(0).map_err(failed)?.is_none() {
            break;
        }
        let event = event(&row, stream)?;
        if event.sequence() != next {
            let what = format!("event {} is in its place", event.sequence());
            return Err(damaged(stream, next, &what));
        }
        events.push(event);
        next = match read.direction {
            Direction::Forward => next + 1,
            Direction::Backward => next - 1,
        };
    }
    // The stream says how far it goes: events may be missing behind those that were found.
    if events.len() < read.limit && (1..=last).contains(&next) {
        return Err(damaged(stream, next, "it is missing"));
    }
    Ok(events)
}

pub(super) async fn find_event(
    store: &SqliteStore,
    stream: &StreamId,
    event_id: &Id,
) -> Result<Option<StoredEvent>, Error> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT {COLUMNS} FROM jitney_streams s JOIN jitney_events e ON e.stream = s.id AND e.event_id = ?3 \
             WHERE s.aggregate_type = ?1 AND s.aggregate_id = ?2"
        )
    });
    let query = sqlx::query(SQL.as_str()).bind(stream.aggregate_type()).bind(stream.aggregate_id());
    let row = query.bind(event_id.to_string()).fetch_optional(store.readers()).await;
    let row =
        row.map_err(|error| store.failed(&format!("reading event {event_id} of stream {stream}"), error))?;
    row.map(|row| event(&row, stream)).transpose()
}

/// Reads up to `limit` events behind `after`.
pub(super) async fn all(
    store: &SqliteStore,
    connection: &mut SqliteConnection,
    after: &Position,
    filter: &Filter,
    limit: usize,
) -> Result<Page, Error> {
    // Events whose stream is gone are read too, so that they are not passed over in silence.
    static SQL: LazyLock<String> = LazyLock::new(|| {
        let archived = streams::number(StreamState::Archived);
        format!(
            "SELECT {COLUMNS}, s.aggregate_type, s.aggregate_id FROM jitney_events e \
             LEFT JOIN jitney_streams s ON s.id = e.stream \
             WHERE e.position > ?1 AND e.position <= ?2 \
             AND (?3 IS NULL OR e.event_type IN (SELECT value FROM json_each(?3))) \
             AND (s.id IS NULL OR ((?4 IS NULL OR s.aggregate_type IN (SELECT value FROM json_each(?4))) \
             AND (?5 OR s.state <> {archived}))) \
             ORDER BY e.position LIMIT ?6"
        )
    });
    let failed = |error| store.failed(&format!("reading all events behind `{after}`"), error);
    let after = number(after)?;
    // Found before the events are, so that everything up to it is among them.
    let newest = newest(store, &mut *connection).await?;
    let mut rows = sqlx::query(SQL.as_str())
        .bind(clamped(after))
        .bind(clamped(newest))
        .bind(names(&filter.event_types)?)
        .bind(names(&filter.aggregate_types)?)
        .bind(filter.archived)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch(connection);
    let mut events = Vec::new();
    let mut reached = after;
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let position = position(&row, "reading all events")?;
        // Of a text that is absent, sqlx makes an empty one unless an `Option` is asked for.
        let text = |column| row.try_get::<Option<String>, _>(column);
        let (Ok(Some(aggregate_type)), Ok(Some(aggregate_id))) = (text(BEHIND), text(BEHIND + 1)) else {
            let what = format!(
                "reading the event at position {position}: its stream is missing; another program has changed the \
                 database, restore the row of `jitney_streams` from a backup"
            );
            return Err(Error::new(ErrorKind::Decode, what));
        };
        events.push(event(&row, &StreamId::new(aggregate_type, aggregate_id))?);
        reached = position;
    }
    if events.len() < limit {
        reached = newest.max(after);
    }
    Ok(Page::new(events, Position::at([reached]), reached >= newest))
}

/// The position of the newest event; 0 where there is none.
pub(super) async fn newest(store: &SqliteStore, connection: &mut SqliteConnection) -> Result<u64, Error> {
    let sql = "SELECT coalesce(max(position), 0) FROM jitney_events";
    let newest = sqlx::query_scalar::<_, i64>(sql).fetch_one(connection).await;
    let newest = newest.map_err(|error| store.failed("looking for the newest event", error))?;
    Ok(u64::try_from(newest).unwrap_or_default())
}

/// The position of the newest event of a correlation id.
pub(super) async fn end_of_correlation(
    store: &SqliteStore,
    correlation_id: &Id,
) -> Result<Option<Position>, Error> {
    let doing = format!("looking for the last event of correlation {correlation_id}");
    // Others that share the number of the chain are passed over.
    let sql = "SELECT position, event_id, metadata FROM jitney_events \
               WHERE correlation = ?1 ORDER BY position DESC";
    let query = sqlx::query(sql).bind(correlation::number_of(correlation_id));
    let mut rows = query.fetch(store.readers());
    while let Some(row) = rows.try_next().await.map_err(|error| store.failed(&doing, error))? {
        let position = position(&row, &doing)?;
        let text =
            |column: usize| row.try_get::<&str, _>(column).map_err(|error| store.failed(&doing, error));
        let metadata = metadata(text(2)?).map_err(|error| {
            let what = format!("{doing}: the metadata of the event at position {position} cannot be read");
            Error::new(ErrorKind::Decode, what).with_source(error)
        })?;
        if correlation::chain(&metadata, &text(1)?.into()) == correlation_id {
            return Ok(Some(Position::at([position])));
        }
    }
    Ok(None)
}

/// The number of a position of this store.
pub(super) fn number(position: &Position) -> Result<u64, Error> {
    match position.numbers() {
        Some([number, 0, 0]) => Ok(number),
        _ => {
            let what =
                format!("reading all events behind `{position}`: that is no position of a store in SQLite");
            Err(Error::new(ErrorKind::Invalid, what))
        }
    }
}

/// Names as one parameter, so that the statement is the same for all filters; nothing where there are none.
fn names(names: &[Cow<'static, str>]) -> Result<Option<String>, Error> {
    let json = (!names.is_empty()).then(|| serde_json::to_string(names)).transpose();
    json.map_err(|error| {
        Error::new(ErrorKind::Invalid, "writing the names of a filter as JSON").with_source(error)
    })
}

/// SQLite's integers are signed; no sequence and no position is as far out as those that do not fit.
fn clamped(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
