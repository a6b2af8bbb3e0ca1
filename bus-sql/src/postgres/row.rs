//! Rows as events, positions and states.

use std::error::Error as StdError;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::event::Version;
use jitney_core::{Head, Id, Metadata};
use jitney_sourcing::{Error, ErrorKind, Position, StoredEvent, StreamId, StreamState};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// The columns of an event `e`, as [`event`] reads them.
pub(super) const COLUMNS: &str =
    "e.epoch, e.tx, e.seq, e.sequence, e.event_id, e.event_type, e.version_major,
    e.version_minor, e.time_ms, e.metadata, e.payload";

/// How many they are.
pub(super) const COLUMN_COUNT: usize = 11;

/// The event of `stream` in the columns from `first` on.
pub(super) fn event(row: &PgRow, first: usize, stream: &StreamId) -> Result<StoredEvent, Error> {
    decoded(row, first, stream).map_err(|error| {
        let sequence = row.try_get::<i64, _>(first + 3).unwrap_or_default();
        let what = format!(
            "reading event {sequence} of stream {stream}: its row is not as this library writes it; look at it"
        );
        Error::new(ErrorKind::Decode, what).with_source(error)
    })
}

fn decoded(
    row: &PgRow,
    first: usize,
    stream: &StreamId,
) -> Result<StoredEvent, Box<dyn StdError + Send + Sync>> {
    let number = |column: usize| row.try_get::<i64, _>(first + column);
    let place = position([number(0)?, number(1)?, number(2)?]).ok_or("its position is below zero")?;
    let version = Version::new(u32::try_from(number(6)?)?, u32::try_from(number(7)?)?);
    let mut head = Head::new(
        Id::from(row.try_get::<&str, _>(first + 4)?),
        row.try_get::<String, _>(first + 5)?,
        stream.shared_aggregate_type(),
        stream.aggregate_id().to_owned(),
        Timestamp::from_millisecond(number(8)?)?,
        version,
    );
    head.sequence = Some(u64::try_from(number(3)?)?);
    // What is in a column of type `json` is its text.
    head.metadata = match row.try_get_raw(first + 9)?.as_bytes()? {
        b"{}" => Metadata::default(),
        text => Metadata::from_json(text)?,
    };
    let payload = Bytes::copy_from_slice(row.try_get_raw(first + 10)?.as_bytes()?);
    Ok(StoredEvent::new(Arc::new(head), payload, place))
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
