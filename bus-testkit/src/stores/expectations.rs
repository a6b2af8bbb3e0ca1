//! What must hold of events that were read.

use jitney_sourcing::{NewEvent, StoredEvent, StreamId};

use crate::conformance::failure::{Outcome, ensure};

/// The events of a stream are these, from sequence 1 on.
pub(super) fn holds(stream: &StreamId, stored: &[StoredEvent], events: &[NewEvent]) -> Outcome {
    let (found, count) = (stored.len(), events.len());
    ensure!(found == count, "stream {stream} has {found} events, and {count} were appended");
    let mut sequence = 0;
    stored.iter().zip(events).try_for_each(|(stored, event)| {
        sequence += 1;
        is_as_appended(stored, event, stream, sequence)
    })
}

/// An event came back as it was appended, at `sequence` of `stream`.
pub(super) fn is_as_appended(
    stored: &StoredEvent,
    event: &NewEvent,
    stream: &StreamId,
    sequence: u64,
) -> Outcome {
    let (head, id) = (stored.head(), &event.event_id);
    ensure!(stored.stream() == *stream, "an event of stream {stream:?} is of {:?}", stored.stream());
    ensure!(
        head.event_id == *id,
        "event {sequence} of stream {stream} has the id {} and not {id}",
        head.event_id
    );
    ensure!(
        head.sequence == Some(sequence),
        "event {sequence} of stream {stream} says that it is number {:?}",
        head.sequence
    );
    ensure!(
        head.event_type == event.event_type && head.version == event.version,
        "`{}` {} was appended, and is `{}` {}",
        event.event_type,
        event.version,
        head.event_type,
        head.version
    );
    ensure!(head.time == event.time, "an event of {} is of {}", event.time, head.time);
    ensure!(
        head.metadata == event.metadata,
        "the metadata {:?} came back as {:?}",
        event.metadata,
        head.metadata
    );
    ensure!(
        stored.payload_json() == &event.payload,
        "a payload of {} came back as {}",
        shortened(&event.payload),
        shortened(stored.payload_json())
    );
    Ok(())
}

/// The beginning of a text, with its length.
fn shortened(text: &[u8]) -> String {
    let beginning = String::from_utf8_lossy(&text[..text.len().min(200)]);
    format!("{} bytes `{beginning}`", text.len())
}

/// Of all events that were read, those of each stream are in order, none twice and none missing. `streams` are
/// the streams with the number of events that each has.
pub(super) fn complete_and_in_order(read: &[StoredEvent], streams: &[(StreamId, usize)]) -> Outcome {
    for (stream, count) in streams {
        let sequences: Vec<_> =
            read.iter().filter(|event| event.stream() == *stream).map(StoredEvent::sequence).collect();
        let found = sequences.len();
        let inversion = sequences.windows(2).find(|pair| pair[0] >= pair[1]);
        if let Some([before, behind]) = inversion {
            ensure!(false, "of stream {stream}, event {behind} was read behind event {before}");
        }
        ensure!(found == *count, "{found} of the {count} events of stream {stream} were read: {sequences:?}");
    }
    let total: usize = streams.iter().map(|(_, count)| count).sum();
    ensure!(read.len() == total, "{} events were read where there are {total}", read.len());
    Ok(())
}
