//! Why an append is refused: looked up only then, in the same transaction.

use jitney_core::Id;
use jitney_sourcing::{Duplicate, Error, ErrorKind, StreamAppend};
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::append::Place;
use super::streams::check;

/// Why an append is refused: first what is a duplicate, then streams that are closed or elsewhere.
pub(super) async fn refusal(
    store: &SqliteStore,
    connection: &mut SqliteConnection,
    parts: &[StreamAppend],
    places: &[Place],
) -> Result<Error, Error> {
    let all = || parts.iter().zip(places);
    for (part, place) in all() {
        for event in &part.events {
            if let Some(sequence) = sequence_of(store, connection, part, place, &event.event_id).await? {
                let (stream, event_id) = (part.stream.clone(), event.event_id.clone());
                return Ok(Error::duplicating(Duplicate { stream, event_id, sequence }));
            }
        }
    }
    let closed =
        all().find_map(|(part, place)| check(&part.stream, place.state, part.expected, place.last).err());
    Ok(closed.unwrap_or_else(|| {
        let ends = all().map(|(part, place)| format!("{} at {}", part.stream, place.last)).collect::<Vec<_>>();
        let what = format!(
            "appending in {}: of the streams that end as follows, one has events behind its end: {}; another program \
             has changed the database, restore `jitney_streams` from a backup",
            store.place(),
            ends.join(", "),
        );
        Error::new(ErrorKind::Decode, what)
    }))
}

/// The sequence of the event with `event_id`, where the stream had it before this append.
async fn sequence_of(
    store: &SqliteStore,
    connection: &mut SqliteConnection,
    part: &StreamAppend,
    place: &Place,
    event_id: &Id,
) -> Result<Option<u64>, Error> {
    let sql = "SELECT sequence FROM jitney_events WHERE stream = ?1 AND event_id = ?2 AND sequence <= ?3";
    let query = sqlx::query_scalar::<_, i64>(sql).bind(place.row).bind(event_id.to_string());
    let query = query.bind(i64::try_from(place.last).unwrap_or(i64::MAX));
    let sequence = query.fetch_optional(connection).await;
    let sequence =
        sequence.map_err(|error| store.failed(&format!("appending to stream {}", part.stream), error))?;
    Ok(sequence.and_then(|sequence| u64::try_from(sequence).ok()))
}
