//! Snapshots are kept, and returned as they are found.

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::Id;
use jitney_sourcing::{EventStore, SnapshotStore, StoredSnapshot, StreamId};
use uuid::Uuid;

use super::trial::Trial;
use crate::conformance::failure::{Failure, Outcome, ensure};

/// A schema like any other: the id of a snapshot's schema is a hash.
const SCHEMA: &str = "018f2c5e-7b1a-5c3d-8e4f-5a6b7c8d9e0f";

/// The schema of no aggregate.
pub(super) fn schema() -> Outcome<Uuid> {
    let schema = Id::from(SCHEMA).as_uuid();
    schema.ok_or_else(|| Failure("the schema of this check is no UUID".to_owned()))
}

pub(super) fn snapshot(trial: &Trial<'_>, sequence: u64, state: impl Into<Bytes>) -> Outcome<StoredSnapshot> {
    let schema = schema()?;
    let time = Timestamp::from_millisecond(1_767_225_600_123).unwrap_or_default();
    Ok(StoredSnapshot::new(sequence, trial.env.new_id(), schema, time, state))
}

pub(super) fn of(store: &dyn EventStore) -> Outcome<&dyn SnapshotStore> {
    let missing = "the store claims to keep snapshots, and has no place for them";
    store.snapshots().ok_or_else(|| Failure(missing.to_owned()))
}

async fn finds(
    trial: &Trial<'_>,
    snapshots: &dyn SnapshotStore,
    stream: &StreamId,
    expected: Option<&StoredSnapshot>,
) -> Outcome {
    let found = trial.wait("a snapshot", snapshots.load_snapshot(stream)).await??;
    ensure!(
        found.as_ref() == expected,
        "the snapshot of stream {stream} was {:?}, and was found as {:?}",
        expected.map(summary),
        found.as_ref().map(summary)
    );
    Ok(())
}

/// The snapshot without most of its state.
fn summary(snapshot: &StoredSnapshot) -> String {
    let StoredSnapshot { sequence, event_id, schema, time, state, checksum, .. } = snapshot;
    let beginning = String::from_utf8_lossy(&state[..state.len().min(100)]);
    let length = state.len();
    format!("{sequence} {event_id} {schema} {time} {checksum}, {length} bytes `{beginning}`")
}

pub(super) async fn keeps_the_newest_snapshot(trial: &Trial<'_>) -> Outcome {
    let (store, other) = (trial.store().await?, trial.store().await?);
    let (keeps, reads) = (of(&*store)?, of(&*other)?);
    let (stream, beside) = (trial.stream(), trial.stream());
    for stream in [&stream, &beside] {
        trial.append_some(&*store, stream, 3).await?;
        finds(trial, reads, stream, None).await?;
    }
    let first = snapshot(trial, 1, "{\"total\":1}")?;
    keeps.save_snapshot(&beside, first.clone()).await?;
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(200 << 10));
    // The third replaces a later one: what is saved last is kept.
    for snapshot in
        [first.clone(), snapshot(trial, 3, large)?, snapshot(trial, 2, "{ \"b\":1,\"a\":1e400 }")?]
    {
        keeps.save_snapshot(&stream, snapshot.clone()).await?;
        finds(trial, reads, &stream, Some(&snapshot)).await?;
    }
    finds(trial, reads, &beside, Some(&first)).await
}

pub(super) async fn forgets_deleted_snapshots(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let snapshots = of(&*store)?;
    let (stream, beside) = (trial.stream(), trial.stream());
    let kept = snapshot(trial, 1, "{}")?;
    for stream in [&stream, &beside] {
        trial.append_some(&*store, stream, 1).await?;
        snapshots.save_snapshot(stream, kept.clone()).await?;
    }
    for _ in 0..2 {
        snapshots.delete_snapshot(&stream).await?;
        finds(trial, snapshots, &stream, None).await?;
    }
    finds(trial, snapshots, &beside, Some(&kept)).await?;
    snapshots.save_snapshot(&stream, kept.clone()).await?;
    finds(trial, snapshots, &stream, Some(&kept)).await
}

pub(super) async fn returns_snapshots_as_they_are_found(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let snapshots = of(&*store)?;
    let stream = trial.stream();
    trial.append_some(&*store, &stream, 2).await?;
    let mut damaged = snapshot(trial, 2, "{\"total\":2}")?;
    damaged.state = Bytes::from_static(b"{\"total\":");
    let mut moved = snapshot(trial, 2, "{\"total\":2}")?;
    moved.sequence = 1;
    let ahead = snapshot(trial, 900, "{\"total\":900}")?;
    let empty = snapshot(trial, 1, "")?;
    for snapshot in [damaged, moved, ahead, empty] {
        snapshots.save_snapshot(&stream, snapshot.clone()).await?;
        finds(trial, snapshots, &stream, Some(&snapshot)).await?;
    }
    Ok(())
}
