//! Events as rows hold them.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::{Head, Metadata};
use jitney_sourcing::{Error, ErrorKind, Position, StoredEvent, StreamId};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::damaged;

/// What is read of every event, in this order.
pub(super) const COLUMNS: &str =
    "e.position, e.sequence, e.event_id, e.event_type, e.version, e.time, e.metadata, e.payload";
/// How many columns these are: what else is read stands behind them.
pub(super) const BEHIND: usize = 8;

/// The position of the event that a row holds.
pub(super) fn position(row: &SqliteRow, doing: &str) -> Result<u64, Error> {
    let position = row.try_get::<i64, _>(0).ok().and_then(|position| u64::try_from(position).ok());
    position.ok_or_else(|| {
        let what = format!(
            "{doing}: an event has no position that this store gives; look at what else writes there"
        );
        Error::new(ErrorKind::Decode, what)
    })
}

/// The event of `stream` that a row holds.
pub(super) fn event(row: &SqliteRow, stream: &StreamId) -> Result<StoredEvent, Error> {
    let position = position(row, &format!("reading stream {stream}"))?;
    let sequence = row.try_get::<i64, _>(1).ok().and_then(|sequence| u64::try_from(sequence).ok());
    let Some(sequence) = sequence.filter(|sequence| *sequence > 0) else {
        let what = format!(
            "reading stream {stream}: its event at position {position} has no sequence; another program has changed \
             the database, restore the row from a backup"
        );
        return Err(Error::new(ErrorKind::Decode, what));
    };
    let text = |column: usize, name: &str| {
        let text = row.try_get::<&str, _>(column);
        text.map_err(|error| damaged(stream, sequence, &format!("its {name} is no text")).with_source(error))
    };
    let wrong = |what: &str| damaged(stream, sequence, what);
    let version = text(4, "version")?;
    let version = version.parse().map_err(|error| wrong("its version is none").with_source(error))?;
    let time = row.try_get(5).map_err(|error| wrong("its time is no number").with_source(error))?;
    let time = Timestamp::from_millisecond(time)
        .map_err(|error| wrong("its time is out of range").with_source(error))?;
    let mut head = Head::new(
        text(2, "id")?.into(),
        text(3, "type")?.to_owned(),
        stream.shared_aggregate_type(),
        stream.aggregate_id().to_owned(),
        time,
        version,
    );
    head.sequence = Some(sequence);
    head.metadata = metadata(text(6, "metadata")?)
        .map_err(|error| wrong("its metadata cannot be read").with_source(error))?;
    let payload = Bytes::copy_from_slice(text(7, "payload")?.as_bytes());
    Ok(StoredEvent::new(Arc::new(head), payload, Position::at([position])))
}

/// The metadata of that text.
pub(super) fn metadata(json: &str) -> Result<Metadata, serde_json::Error> {
    match json {
        "{}" => Ok(Metadata::default()),
        json => Metadata::from_json(json.as_bytes()),
    }
}
