//! Streams: about one, a list of them, and what may still happen to them.

use futures_util::TryStreamExt;
use jiff::Timestamp;
use jitney_sourcing::{Conflict, Error, ErrorKind, Expected, ListStreams, StreamId, StreamInfo, StreamState};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::SqliteStore;
use super::error::commit_failed;

/// The number that a state has in the database.
pub(super) const fn number(state: StreamState) -> i64 {
    match state {
        StreamState::Archived => 1,
        StreamState::Ended => 2,
        _ => 0,
    }
}

/// The state that has a number in the database.
pub(super) fn state(stream: &StreamId, number: i64) -> Result<StreamState, Error> {
    match number {
        0 => Ok(StreamState::Open),
        1 => Ok(StreamState::Archived),
        2 => Ok(StreamState::Ended),
        other => {
            let what = format!(
                "reading about stream {stream}: it is in a state {other}, which this store does not write; another \
                 program has changed the database"
            );
            Err(Error::new(ErrorKind::Decode, what))
        }
    }
}

/// Refuses events for a stream that takes none, or is not where it is expected.
pub(super) fn check(
    stream: &StreamId,
    state: StreamState,
    expected: Expected,
    last: u64,
) -> Result<(), Error> {
    match state {
        StreamState::Ended => Err(Error::ended(stream)),
        StreamState::Archived => Err(Error::archived(stream)),
        _ if expected.is_met_by(last) => Ok(()),
        _ => Err(Error::conflicting(Conflict { stream: stream.clone(), expected, actual: last })),
    }
}

pub(super) async fn info(store: &SqliteStore, stream: &StreamId) -> Result<Option<StreamInfo>, Error> {
    let mut connection = store.reader().await?;
    find(store, &mut connection, stream).await
}

async fn find(
    store: &SqliteStore,
    connection: &mut SqliteConnection,
    stream: &StreamId,
) -> Result<Option<StreamInfo>, Error> {
    let sql = "SELECT last_sequence, last_time, state FROM jitney_streams WHERE aggregate_type = ?1 AND aggregate_id = ?2";
    let query = sqlx::query(sql).bind(stream.aggregate_type()).bind(stream.aggregate_id());
    let row = query.fetch_optional(connection).await;
    let doing = || format!("reading about stream {stream}");
    let row = row.map_err(|error| store.failed(&doing(), error))?;
    row.map(|row| about(store, stream.clone(), &row)).transpose()
}

pub(super) async fn list(store: &SqliteStore, list: &ListStreams) -> Result<Vec<StreamInfo>, Error> {
    // Texts are compared by their bytes.
    let sql = "SELECT last_sequence, last_time, state, aggregate_id FROM jitney_streams \
               WHERE aggregate_type = ?1 AND aggregate_id > ?2 AND (?3 IS NULL OR state = ?3) \
               ORDER BY aggregate_id LIMIT ?4";
    let failed = |error| store.failed(&format!("listing streams of `{}`", list.aggregate_type), error);
    let mut rows = sqlx::query(sql)
        .bind(list.aggregate_type.as_str())
        .bind(list.after.as_deref().unwrap_or(""))
        .bind(list.state.map(number))
        .bind(i64::try_from(list.limit).unwrap_or(i64::MAX))
        .fetch(store.readers());
    let mut streams = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let id: String = row.try_get(3).map_err(failed)?;
        streams.push(about(store, StreamId::new(list.aggregate_type.clone(), id), &row)?);
    }
    Ok(streams)
}

fn about(store: &SqliteStore, stream: StreamId, row: &SqliteRow) -> Result<StreamInfo, Error> {
    let number = |column: usize| {
        let number = row.try_get::<i64, _>(column);
        number.map_err(|error| store.failed(&format!("reading about stream {stream}"), error))
    };
    let wrong = |what: &str| {
        let what = format!("reading about stream {stream}: {what}; another program has changed the database");
        Error::new(ErrorKind::Decode, what)
    };
    let last = number(0)?;
    let last = u64::try_from(last).map_err(|_| wrong(&format!("its last sequence is {last}")))?;
    let time = Timestamp::from_millisecond(number(1)?)
        .map_err(|error| wrong("the time of its last event is out of range").with_source(error))?;
    let state = state(&stream, number(2)?)?;
    Ok(StreamInfo::new(stream, last, time).in_state(state))
}

/// Brings a stream that has events, and is where it is expected, into `state`.
pub(super) async fn set_state(
    store: &SqliteStore,
    stream: &StreamId,
    expected: Expected,
    state: StreamState,
) -> Result<(), Error> {
    let mut transaction = store.begin().await?;
    let found = find(store, &mut transaction, stream).await?;
    let Some(found) = found else {
        let expected = if expected.is_met_by(0) { Expected::Exists } else { expected };
        return Err(Error::conflicting(Conflict { stream: stream.clone(), expected, actual: 0 }));
    };
    match (found.state, state) {
        (current, state) if current == state => return Ok(()),
        (StreamState::Archived, StreamState::Open) => {}
        (current, _) => check(stream, current, expected, found.last_sequence)?,
    }
    let doing = format!("changing the state of stream {stream}");
    let sql = "UPDATE jitney_streams SET state = ?3 WHERE aggregate_type = ?1 AND aggregate_id = ?2";
    let query =
        sqlx::query(sql).bind(stream.aggregate_type()).bind(stream.aggregate_id()).bind(number(state));
    query.execute(&mut *transaction).await.map_err(|error| store.failed(&doing, error))?;
    transaction.commit().await.map_err(|error| commit_failed(store.place(), &doing, error))
}
