//! Appending: each stream is moved on, then its events are inserted.
//!
//! Only where that fails is it looked up why. All of it is in one transaction, which then is rolled back.

use std::sync::LazyLock;

use jitney_sourcing::{
    Append, Appended, Error, ErrorKind, NewEvent, Position, StoredEvent, StreamAppend, StreamAppended,
    StreamState,
};
use sqlx::{Row, SqliteConnection};

use super::error::{damaged, is_unique_violation};
use super::refusal::refusal;
use super::streams::{check, state};
use super::{SqliteStore, inline, outbox};
use crate::correlation::number;
use crate::outbox::rows;

/// How many events one statement inserts: a few texts, which stay prepared.
static INSERTS: LazyLock<[(usize, String); 3]> =
    LazyLock::new(|| [64, 8, 1].map(|rows| (rows, insert_sql(rows))));

fn insert_sql(rows: usize) -> String {
    let values = vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?)"; rows].join(", ");
    format!(
        "INSERT INTO jitney_events (stream, sequence, event_id, event_type, version, time, correlation, metadata, payload) \
         VALUES {values}"
    )
}

/// Where a stream was before it was moved on.
pub(super) struct Place {
    /// Its row.
    pub(super) row: i64,
    pub(super) last: u64,
    pub(super) state: StreamState,
}

/// Stores events on a connection with a transaction, which is to be rolled back when it fails, with what goes into the
/// outbox and what inline projections make of it. Those are to be told of the events behind the commit.
pub(super) async fn append_on(
    store: &SqliteStore,
    connection: &mut SqliteConnection,
    append: Append,
) -> Result<(Appended, Vec<StoredEvent>), Error> {
    let parts = append.into_streams();
    let mut places = Vec::with_capacity(parts.len());
    for part in &parts {
        places.push(move_on(store, connection, part).await?);
    }
    let all = || parts.iter().zip(&places);
    if all().any(|(part, place)| check(&part.stream, place.state, part.expected, place.last).is_err()) {
        return Err(refusal(store, connection, &parts, &places).await?);
    }
    let (mut newest, mut events) = (0, Vec::new());
    for (part, place) in all() {
        match insert(store, connection, part, place).await? {
            Some(position) => {
                newest = position;
                if !store.inline().is_empty() {
                    events.extend(inline::stored(part, place.last, position));
                }
            }
            None => return Err(refusal(store, connection, &parts, &places).await?),
        }
    }
    if let Some(filter) = store.outbox() {
        for (part, place) in all() {
            let rows = rows(part, place.last + 1, filter)?;
            let inserted = outbox::insert(connection, &rows).await;
            inserted.map_err(|error| store.failed("putting events into the outbox", error))?;
        }
    }
    let events = store.sealing().open(events).await?;
    store.inline().apply(connection, &events).await?;
    let appended = all().map(|(part, place)| StreamAppended::behind(place.last, part.events.len()));
    let position = Position::at([u64::try_from(newest).unwrap_or_default()]);
    Ok((Appended::new(appended.collect(), position), events))
}

/// Moves the stream on by the events of `part`, whatever was expected, and says where it was.
async fn move_on(
    store: &SqliteStore,
    connection: &mut SqliteConnection,
    part: &StreamAppend,
) -> Result<Place, Error> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "INSERT INTO jitney_streams (aggregate_type, aggregate_id, last_sequence, last_time, state) \
             VALUES (?1, ?2, ?3, ?4, 0) \
             ON CONFLICT (aggregate_type, aggregate_id) \
             DO UPDATE SET last_sequence = last_sequence + ?3, last_time = ?4 \
             RETURNING id, last_sequence - ?3, state, {}",
            inline::BUILDS
        )
    });
    let stream = &part.stream;
    let failed = |error| store.failed(&format!("appending to stream {stream}"), error);
    let row = sqlx::query(SQL.as_str())
        .bind(stream.aggregate_type())
        .bind(stream.aggregate_id())
        .bind(i64::try_from(part.events.len()).unwrap_or(i64::MAX))
        .bind(part.events.last().map_or(0, |event| event.time.as_millisecond()))
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    let number = |column: usize| row.try_get::<i64, _>(column).map_err(failed);
    let builds = row.try_get::<Option<String>, _>(3).map_err(failed)?;
    store.inline().check(store.place(), builds.as_deref())?;
    let last = number(1)?;
    let last = u64::try_from(last).map_err(|_| damaged(stream, 1, &format!("its stream ends at {last}")))?;
    Ok(Place { row: number(0)?, last, state: state(stream, number(2)?)? })
}

/// Inserts the events of `part` behind `place`; the position of the last one, or nothing where one of them is there.
async fn insert(
    store: &SqliteStore,
    connection: &mut SqliteConnection,
    part: &StreamAppend,
    place: &Place,
) -> Result<Option<i64>, Error> {
    let mut events = part.events.iter();
    let mut sequence = i64::try_from(place.last).unwrap_or(i64::MAX);
    let mut position = 0;
    for (rows, sql) in INSERTS.iter() {
        while events.len() >= *rows {
            let mut query = sqlx::query(sql.as_str());
            for event in events.by_ref().take(*rows) {
                sequence = sequence.saturating_add(1);
                let (metadata, payload) = texts(part, event)?;
                query = query
                    .bind(place.row)
                    .bind(sequence)
                    .bind(event.event_id.to_string())
                    .bind(&*event.event_type)
                    .bind(event.version.to_string())
                    .bind(event.time.as_millisecond())
                    .bind(number(&event.metadata, &event.event_id))
                    .bind(metadata)
                    .bind(payload);
            }
            match query.execute(&mut *connection).await {
                Ok(inserted) => position = inserted.last_insert_rowid(),
                Err(error) if is_unique_violation(&error) => return Ok(None),
                Err(error) => {
                    return Err(store.failed(&format!("appending to stream {}", part.stream), error));
                }
            }
        }
    }
    Ok(Some(position))
}

/// Metadata and payload as texts.
fn texts<'a>(part: &StreamAppend, event: &'a NewEvent) -> Result<(String, &'a str), Error> {
    let wrong = |what: &str| {
        let NewEvent { event_id, event_type, .. } = event;
        let what = format!("appending event {event_id} (`{event_type}`) to stream {}: {what}", part.stream);
        Error::new(ErrorKind::Encode, what)
    };
    let metadata = event
        .metadata
        .to_json()
        .map_err(|error| wrong("encoding its metadata as JSON").with_source(error))?;
    let metadata =
        String::from_utf8(metadata).map_err(|error| wrong("its metadata is no text").with_source(error))?;
    let payload = str::from_utf8(&event.payload)
        .map_err(|error| wrong("its payload is no JSON text").with_source(error))?;
    Ok((metadata, payload))
}
