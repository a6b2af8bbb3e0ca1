//! Reads of one stream.

use jitney_core::Id;
use jitney_sourcing::{Append, EventStore, Expected, NewEvent, ReadStream, StoredEvent, StreamId};

use super::expectations;
use super::trial::Trial;
use crate::conformance::failure::{Failure, Outcome, ensure};

/// A stream of ten events, beside another one.
async fn ten_events(trial: &Trial<'_>, store: &dyn EventStore) -> Outcome<(StreamId, Vec<NewEvent>)> {
    let (stream, events) = (trial.stream(), trial.events(10));
    for chunk in events.chunks(4) {
        trial.append(store, Append::to(stream.clone(), Expected::Any, chunk.to_vec())).await?;
        trial.append_some(store, &trial.stream(), 1).await?;
    }
    Ok((stream, events))
}

async fn reads(
    trial: &Trial<'_>,
    store: &dyn EventStore,
    stream: &StreamId,
    read: ReadStream,
    sequences: &[u64],
) -> Outcome<Vec<StoredEvent>> {
    let events = trial.wait("a stream read", store.read_stream(stream, read)).await??;
    let found: Vec<_> = events.iter().map(StoredEvent::sequence).collect();
    ensure!(found == sequences, "{read:?} of a stream of 10 gave events {found:?} and not {sequences:?}");
    Ok(events)
}

pub(super) async fn reads_streams_forward(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (stream, appended) = ten_events(trial, &*store).await?;
    let forward = ReadStream::forward();
    let all: Vec<u64> = (1..=10).collect();
    let events = reads(trial, &*store, &stream, forward, &all).await?;
    expectations::holds(&stream, &events, &appended)?;
    for (read, sequences) in [
        (forward.from(0), &all[..]),
        (forward.from(4), &all[3..]),
        (forward.from(10), &all[9..]),
        (forward.from(11), &[]),
        (forward.from(u64::MAX), &[]),
        (forward.limit(3), &all[..3]),
        (forward.from(3).limit(4), &all[2..6]),
        (forward.from(9).limit(4), &all[8..]),
        (forward.limit(0), &[]),
    ] {
        reads(trial, &*store, &stream, read, sequences).await?;
    }
    Ok(())
}

pub(super) async fn reads_streams_backward(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (stream, appended) = ten_events(trial, &*store).await?;
    let backward = ReadStream::backward();
    let all: Vec<u64> = (1..=10).rev().collect();
    let mut events = reads(trial, &*store, &stream, backward, &all).await?;
    events.reverse();
    expectations::holds(&stream, &events, &appended)?;
    for (read, sequences) in [
        (backward.from(10), &all[..]),
        (backward.from(11), &all[..]),
        (backward.from(4), &all[6..]),
        (backward.from(1), &all[9..]),
        (backward.from(0), &[]),
        (backward.limit(1), &all[..1]),
        (backward.from(7).limit(3), &all[3..6]),
        (backward.limit(0), &[]),
    ] {
        reads(trial, &*store, &stream, read, sequences).await?;
    }
    Ok(())
}

pub(super) async fn finds_nothing_in_missing_streams(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (there, _) = ten_events(trial, &*store).await?;
    // Names that are like that of a stream with events.
    let id = there.aggregate_id();
    let missing = [
        trial.stream(),
        StreamId::new(there.shared_aggregate_type(), id.to_uppercase()),
        StreamId::new(there.shared_aggregate_type(), format!("{id} ")),
        StreamId::new(there.shared_aggregate_type(), &id[..id.len() - 1]),
        StreamId::new(trial.types[1].clone(), id),
    ];
    for stream in missing {
        for read in [ReadStream::forward(), ReadStream::backward()] {
            let events = trial.wait("a stream read", store.read_stream(&stream, read)).await??;
            let found = events.first().map(StoredEvent::stream);
            ensure!(found.is_none(), "stream {stream} has no events, and a read gave some of {found:?}");
        }
        let info = trial.wait("what is known of a stream", store.stream_info(&stream)).await??;
        ensure!(info.is_none(), "stream {stream} has no events, and the store knows it: {info:?}");
    }
    Ok(())
}

pub(super) async fn finds_events_by_id(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (stream, events) = ten_events(trial, &*store).await?;
    for (sequence, event) in (1..).zip(&events) {
        let found = store.find_event(&stream, &event.event_id);
        let Some(found) = trial.wait("an event by its id", found).await?? else {
            return Err(Failure(format!("event {sequence} of stream {stream} is not found by its id")));
        };
        expectations::is_as_appended(&found, event, &stream, sequence)?;
    }
    let (elsewhere, known) = (trial.stream(), &events[0].event_id);
    let unknown = Id::from("no such event");
    for (stream, id) in [(&stream, &unknown), (&elsewhere, known), (&elsewhere, &unknown)] {
        let found = trial.wait("an event by its id", store.find_event(stream, id)).await??;
        let found = found.map(|event| (event.stream(), event.sequence()));
        ensure!(found.is_none(), "stream {stream} has no event {id}, and one is found: {found:?}");
    }
    Ok(())
}
