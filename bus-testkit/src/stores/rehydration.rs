//! Repositories that load from snapshots: the state is that of the events, whatever the snapshot says.

use jitney_core::Id;
use jitney_sourcing::{EventStore, Repository, SnapshotPolicy, StoredSnapshot, StreamId};

use super::counter::{Counter, Increment};
use super::snapshots;
use super::trial::Trial;
use super::warnings::Warnings;
use crate::conformance::failure::{Failure, Outcome, ensure};

/// What a wrong snapshot says, and no counter of these checks ever has.
const WRONG: &[u8] = b"{\"total\":999}";

/// A counter of five events with a snapshot at the third, and what is wrong with it still to come.
struct Counted {
    counters: Repository<Counter>,
    id: String,
    stream: StreamId,
    snapshot: StoredSnapshot,
}

impl Counted {
    async fn five_times(trial: &Trial<'_>) -> Outcome<Self> {
        let counters = Repository::<Counter>::new(trial.store().await?);
        let counters = counters.with_snapshots_of(SnapshotPolicy::every(3), "a total")?;
        let (id, by) = (trial.id(), 2);
        let stream = counters.stream(&*id);
        for _ in 0..5 {
            let handled = counters.handle(&*id, Increment { by }).await;
            handled.map_err(|error| Failure(format!("a command was not handled: {error}")))?;
        }
        let kept = snapshots::of(&**counters.store())?.load_snapshot(&stream).await?;
        let Some(snapshot) = kept else {
            return Err(Failure("a snapshot was due at event 3, and the store has none".to_owned()));
        };
        let (sequence, intact) = (snapshot.sequence, snapshot.is_intact());
        ensure!(sequence == 3 && intact, "a snapshot was made at event 3, and is found as {snapshot:?}");
        Ok(Counted { counters, id, stream, snapshot })
    }

    fn store(&self) -> &dyn EventStore {
        &**self.counters.store()
    }

    /// Replaces the snapshot, loads, and wants a total and so many warnings.
    async fn loads_with(
        &self,
        trial: &Trial<'_>,
        snapshot: StoredSnapshot,
        (what, total, warns): (&str, u64, bool),
    ) -> Outcome {
        snapshots::of(self.store())?.save_snapshot(&self.stream, snapshot).await?;
        let warnings = Warnings::count_from_now();
        let loaded = trial.wait("a counter to be loaded", self.counters.load(&*self.id)).await??;
        let (found, sequence, warned) = (loaded.total, loaded.sequence(), warnings.so_far());
        ensure!(
            found == total && sequence == 5,
            "with a snapshot that {what}, a counter at {total} behind event 5 is loaded at {found} behind \
             event {sequence}"
        );
        ensure!((warned > 0) == warns, "loading past a snapshot that {what} gave {warned} warnings");
        Ok(())
    }
}

pub(super) async fn loads_from_snapshots(trial: &Trial<'_>) -> Outcome {
    let counted = Counted::five_times(trial).await?;
    let StoredSnapshot { sequence, event_id, schema, time, .. } = counted.snapshot.clone();
    counted.loads_with(trial, counted.snapshot.clone(), ("is good", 10, false)).await?;
    // Only a snapshot that is used can be seen to be: this one is whole, and says something else.
    let other = StoredSnapshot::new(sequence, event_id, schema, time, "{\"total\":106}");
    counted.loads_with(trial, other, ("is good, and says 106 at event 3", 110, false)).await?;
    snapshots::of(counted.store())?.delete_snapshot(&counted.stream).await?;
    let total = counted.counters.load(&*counted.id).await?.total;
    ensure!(total == 10, "without its snapshot, a counter at 10 is loaded at {total}");
    Ok(())
}

pub(super) async fn passes_over_wrong_snapshots(trial: &Trial<'_>) -> Outcome {
    let counted = Counted::five_times(trial).await?;
    let StoredSnapshot { sequence, event_id, schema, time, .. } = counted.snapshot.clone();
    let of = |sequence, event_id: &Id, schema, time, state: &'static [u8]| {
        StoredSnapshot::new(sequence, event_id.clone(), schema, time, state)
    };
    let mut damaged = counted.snapshot.clone();
    damaged.state = WRONG.into();
    let mut truncated = counted.snapshot.clone();
    truncated.state.truncate(5);
    let mut renumbered = counted.snapshot.clone();
    renumbered.sequence = 4;
    let other_schema = snapshots::schema()?;
    let wrong = [
        (damaged, "is damaged"),
        (truncated, "is cut off"),
        (renumbered, "has another sequence"),
        (of(sequence, &event_id, other_schema, time, WRONG), "is of another schema"),
        (of(sequence + 100, &event_id, schema, time, WRONG), "is ahead of its stream"),
        (of(sequence, &trial.env.new_id(), schema, time, WRONG), "is of another stream"),
        (of(sequence, &event_id, schema, time, b"{\"total\":\"many\"}"), "cannot be read"),
        (of(sequence, &event_id, schema, time, b""), "is empty"),
    ];
    for (snapshot, what) in wrong {
        counted.loads_with(trial, snapshot, (what, 10, true)).await?;
    }
    Ok(())
}
