//! Rows as events, positions and states.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::event::Version;
use jitney_core::{Head, Id, Metadata};
use jitney_sourcing::{Error, ErrorKind, Position, StoredEvent, StreamId, StreamState};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// The columns of an event `e`, as [`event`] reads them; behind them, [`event_with_stream`] reads `aggregate_type` and
/// `aggregate_id`.
pub(super) const COLUMNS: &str =
    "e.epoch, e.tx, e.seq, e.sequence, e.event_id, e.event_type, e.version_major,
    e.version_minor, e.time_ms, e.metadata, e.payload";

type Unfit = Box<dyn StdError + Send + Sync>;

/// The event of `stream` in a row.
pub(super) fn event(row: &PgRow, stream: &StreamId) -> Result<StoredEvent, Error> {
    let decoded = decoded(row, stream.shared_aggregate_type(), stream.aggregate_id().to_owned());
    decoded.map_err(|error| unreadable(row, stream, error))
}

/// The event in a row, of whatever stream.
pub(super) fn event_with_stream(row: &PgRow) -> Result<StoredEvent, Error> {
    let name = |column| text(row, column).map(str::to_owned);
    let decoded = || decoded(row, name(11)?.into(), name(12)?);
    decoded().map_err(|error| {
        let name = |column| name(column).unwrap_or_else(|_| "?".to_owned());
        unreadable(row, &StreamId::new(name(11), name(12)), error)
    })
}

fn unreadable(row: &PgRow, stream: &StreamId, error: Unfit) -> Error {
    let sequence = number(row, 3).unwrap_or_default();
    let what = format!(
        "reading event {sequence} of stream {stream}: its row is not as this library writes it; look at it"
    );
    Error::new(ErrorKind::Decode, what).with_source(error)
}

fn decoded(
    row: &PgRow,
    aggregate_type: Cow<'static, str>,
    aggregate_id: String,
) -> Result<StoredEvent, Unfit> {
    let place = position([number(row, 0)?, number(row, 1)?, number(row, 2)?]);
    let place = place.ok_or("its position is below zero")?;
    let version = Version::new(u32::try_from(number(row, 6)?)?, u32::try_from(number(row, 7)?)?);
    let mut head = Head::new(
        Id::from(text(row, 4)?),
        text(row, 5)?.to_owned(),
        aggregate_type,
        aggregate_id,
        Timestamp::from_millisecond(number(row, 8)?)?,
        version,
    );
    head.sequence = Some(u64::try_from(number(row, 3)?)?);
    head.metadata = metadata(row, 9)?;
    let payload = Bytes::copy_from_slice(bytes(row, 10)?);
    Ok(StoredEvent::new(Arc::new(head), payload, place))
}

/// The event's id and its metadata, from the columns 3 and 4.
pub(super) fn id_and_metadata(row: &PgRow) -> Result<(Id, Metadata), Unfit> {
    Ok((Id::from(text(row, 3)?), metadata(row, 4)?))
}

fn metadata(row: &PgRow, column: usize) -> Result<Metadata, Unfit> {
    // What is in a column of type `json` is its text.
    match bytes(row, column)? {
        b"{}" => Ok(Metadata::default()),
        text => Ok(Metadata::from_json(text)?),
    }
}

/// The value as it came. The statements fix the types of their columns: sqlx would look at them for each value.
fn bytes(row: &PgRow, column: usize) -> Result<&[u8], Unfit> {
    let value = row.try_get_raw(column)?;
    value.as_bytes().map_err(|error| format!("column {column}: {error}").into())
}

fn text(row: &PgRow, column: usize) -> Result<&str, Unfit> {
    Ok(std::str::from_utf8(bytes(row, column)?)?)
}

/// A `bigint`, of a statement that was prepared, as all with parameters are.
fn number(row: &PgRow, column: usize) -> Result<i64, Unfit> {
    let bytes = bytes(row, column)?.try_into().map_err(|_| format!("column {column} is no `bigint`"))?;
    Ok(i64::from_be_bytes(bytes))
}

/// The position of epoch, transaction id and counter; `None` where one of them is negative.
pub(super) fn position(place: [i64; 3]) -> Option<Position> {
    let [epoch, tx, seq] = place.map(u64::try_from);
    Some(Position::at([epoch.ok()?, tx.ok()?, seq.ok()?]))
}

/// Epoch, transaction id and counter of a position of a store like this.
pub(super) fn place(position: &Position) -> Result<[i64; 3], Error> {
    let place = position.numbers().map(|numbers| numbers.map(i64::try_from));
    match place {
        Some([Ok(0), Ok(0), Ok(0)]) => Ok([0; 3]),
        Some([Ok(epoch @ 1..), Ok(tx @ 1..), Ok(seq @ 1..)]) => Ok([epoch, tx, seq]),
        _ => {
            let what = format!(
                "reading all events behind `{position}`: that is no position of a store on PostgreSQL; take one that it gave"
            );
            Err(Error::new(ErrorKind::Invalid, what))
        }
    }
}

/// `number`, or the greatest that a column holds.
pub(super) fn from_u64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `number`, or the greatest that a column holds.
pub(super) fn from_usize(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The state that is written as `number`; one that is not known takes no events.
pub(super) fn state(number: i16) -> StreamState {
    match number {
        0 => StreamState::Open,
        1 => StreamState::Archived,
        _ => StreamState::Ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_as_the_place_that_it_was_made_of() {
        assert_eq!(place(&position([2, 815, 99]).unwrap()).unwrap(), [2, 815, 99]);
        assert_eq!(place(&Position::START).unwrap(), [0; 3]);
    }

    #[test]
    fn a_position_of_another_kind_of_store_is_refused() {
        for other in [Position::at([7]), Position::at([1, 2]), Position::offsets([("orders-0", 3)])] {
            assert_eq!(place(&other).unwrap_err().kind(), ErrorKind::Invalid, "{other}");
        }
        assert!(place(&Position::at([1, u64::MAX, 1])).is_err());
    }
}
