//! What a read model keeps of a projection beside its data: the bookkeeping, for databases without tables of their own for it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jitney_core::Id;
use jitney_core::outbox::{Shard, Share};
use serde::{Deserialize, Serialize};

use super::{
    Build, BuildId, BuildState, Leased, NewBuild, PassedEvent, ShardLease, ShardState, Step, Stopped,
};

/// The builds of a projection, who has which shard and how far it is, and what was passed.
///
/// For a read model in a database of any kind: keep one for each projection, as the one value that serde makes of it, and in each
/// method of [`ReadModel`](super::ReadModel) and [`ReadModelTransaction`](super::ReadModelTransaction) read it, change it by the
/// method of the same name, and write it back, all in one transaction, in which nobody else does. What is left is where the data of
/// a build is: under its [number](BuildId::number), which no other one ever had. Readers look where
/// [`live`](Self::live) says; data of builds that are not among [`builds`](Self::builds) any more can be removed.
/// `examples/read_model_redb.rs` is a whole one.
///
/// It grows with the events that are passed; its size is otherwise that of two builds with their shards.
///
/// ```
/// # use jitney_sourcing::Position;
/// # use jitney_sourcing::projection::{BuildState, NewBuild};
/// use jitney_sourcing::projection::ProjectionRecord;
///
/// let mut record = ProjectionRecord::default();
/// # let (projection, live_from) = ("balances".to_owned(), Position::START);
/// let new = NewBuild { projection, state: BuildState::Live, version: 1, shards: 4, live_from };
/// let number = record.begin_build(&new).expect("there is none yet");
/// assert_eq!((record.live(), record.builds()[0].shards.len()), (Some(number), 4));
/// assert_eq!(record.begin_build(&new), None);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ProjectionRecord {
    last_number: u64,
    builds: BTreeMap<u64, Kept>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    build: Build,
    /// Until when they are alive, in milliseconds since 1970.
    workers: BTreeMap<String, i64>,
    passed: Vec<PassedEvent>,
}

impl ProjectionRecord {
    /// The live build, where there is one, and then the next one, where there is one.
    pub fn builds(&self) -> Vec<Build> {
        // The next one is always the newer one.
        self.builds.values().map(|kept| kept.build.clone()).collect()
    }

    /// The number of the live build, where there is one.
    pub fn live(&self) -> Option<u64> {
        self.builds.values().find(|kept| is_live(kept)).map(|kept| kept.build.id.number)
    }

    /// Whether the build of this number is there.
    pub fn has(&self, number: u64) -> bool {
        self.builds.contains_key(&number)
    }

    /// Events that were passed in the build of this number, the newest first.
    pub fn passed(&self, number: u64) -> impl Iterator<Item = &PassedEvent> {
        self.builds.get(&number).into_iter().flat_map(|kept| kept.passed.iter().rev())
    }

    /// Whether an event is to be passed in the build of this number.
    pub fn is_skipped(&self, number: u64, event_id: &Id) -> bool {
        self.passed(number).any(|passed| passed.skipped && passed.event.event_id == *event_id)
    }

    /// Adds a build where there is to be one: its number. Of a next one that it takes the place of, nothing is left.
    pub fn begin_build(&mut self, new: &NewBuild) -> Option<u64> {
        if new.state == BuildState::Live && self.live().is_some() {
            return None;
        }
        let mut next = self.builds.values().filter(|kept| !is_live(kept));
        if new.state == BuildState::Next && next.any(|kept| kept.build.version >= new.version) {
            return None;
        }
        self.builds.retain(|_, kept| is_live(kept));
        self.last_number += 1;
        let paused = self.builds.values().any(|kept| kept.build.paused);
        let (projection, number, state) = (new.projection.clone(), self.last_number, new.state);
        let id = BuildId { projection, number, state };
        let mut build = Build::new(id, new.version, paused, new.live_from.clone());
        build.shards = vec![ShardState::new(); usize::from(new.shards)];
        let kept = Kept { build, workers: BTreeMap::new(), passed: Vec::new() };
        self.builds.insert(number, kept);
        Some(number)
    }

    /// Shares the shards of a build out. All workers take `now` from clocks that agree.
    pub fn lease(&mut self, id: &BuildId, worker: &str, now: Timestamp, lease: Duration) -> Leased {
        let Some(kept) = self.of(id) else { return Leased::default() };
        let now = now.as_millisecond();
        let until = now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
        kept.workers.retain(|_, until| *until > now);
        kept.workers.insert(worker.to_owned(), until);
        let (shards, workers) = (&mut kept.build.shards, &kept.workers);
        let alive = |owner: &&str| workers.contains_key(*owner);
        let held = (0..).zip(shards.iter()).filter_map(|(number, shard): (u16, _)| {
            Some((Shard::from_number(number)?, shard.owner.as_deref().filter(alive)?))
        });
        let count = u16::try_from(shards.len()).unwrap_or(u16::MAX);
        let share = Share::among(count, worker, workers.len(), held.collect::<Vec<_>>());
        for given_up in &share.given_up {
            shards[usize::from(given_up.number())].owner = None;
        }
        for taken in &share.taken {
            let shard = &mut shards[usize::from(taken.number())];
            shard.owner = Some(worker.to_owned());
            shard.epoch += 1;
            shard.stopped = None;
        }
        let lease = |shard: Shard| {
            let ShardState { epoch, position, stopped, .. } = &shards[usize::from(shard.number())];
            let (shard, position, stopped) = (shard.number(), position.clone(), stopped.clone());
            ShardLease { shard, epoch: *epoch, position, stopped }
        };
        // Nobody works on one that is inline.
        let paused = kept.build.paused || kept.build.inline;
        Leased { paused, shards: share.into_shards().into_iter().map(lease).collect() }
    }

    /// Gives up all shards of `worker`.
    pub fn release(&mut self, worker: &str) {
        for kept in self.builds.values_mut() {
            kept.workers.remove(worker);
            let held = kept.build.shards.iter_mut().filter(|shard| shard.owner.as_deref() == Some(worker));
            held.for_each(|shard| shard.owner = None);
        }
    }

    /// Records that a shard has stopped, where `lease` is still that of its owner. Of several stops, the first one stays, until the
    /// shard goes on.
    pub fn stop(&mut self, id: &BuildId, lease: &ShardLease, stopped: &Stopped) {
        let shard = self.of(id).and_then(|kept| kept.build.shards.get_mut(usize::from(lease.shard)));
        if let Some(shard) = shard
            && (shard.epoch, &shard.position) == (lease.epoch, &lease.position)
            && shard.stopped.is_none()
        {
            shard.stopped = Some(stopped.clone());
        }
    }

    /// Pauses the builds, or has them go on.
    pub fn set_paused(&mut self, paused: bool) {
        for kept in self.builds.values_mut() {
            kept.build.paused = paused;
            if !paused {
                kept.build.shards.iter_mut().for_each(|shard| shard.stopped = None);
            }
        }
    }

    /// Records that an event is to be passed where a shard has stopped at it, and has it go on. Whether one has.
    pub fn skip(&mut self, event_id: &Id) -> bool {
        let mut skipped = false;
        for kept in self.builds.values_mut() {
            for shard in &mut kept.build.shards {
                if let Some(Stopped::At(event)) = shard.stopped.take_if(|stopped| stopped.is_at(event_id)) {
                    kept.passed.push(PassedEvent::new(event, true));
                    skipped = true;
                }
            }
        }
        skipped
    }

    /// Moves the checkpoint of a shard in the build of this number. False where the caller has lost it.
    pub fn advance(&mut self, number: u64, step: &Step<'_>) -> bool {
        let Some(kept) = self.builds.get_mut(&number) else { return false };
        if kept.build.paused || kept.build.inline {
            return false;
        }
        let Some(shard) = kept.build.shards.get_mut(usize::from(step.shard)) else { return false };
        if (shard.epoch, &shard.position) != (step.epoch, step.from) {
            return false;
        }
        shard.position = step.to.clone();
        shard.handled += step.handled;
        shard.last_time = step.last_time.or(shard.last_time);
        kept.passed.extend(step.passed.cloned());
        true
    }

    /// Records that appends keep the build of this number up. Whoever had a shard of it has lost it.
    pub fn make_inline(&mut self, number: u64) {
        let Some(kept) = self.builds.get_mut(&number) else { return };
        kept.build.inline = true;
        for shard in &mut kept.build.shards {
            (shard.epoch, shard.owner) = (shard.epoch + 1, None);
        }
    }

    /// Lets the build of this number take the place of the live one; of that one, nothing is left.
    pub fn replace(&mut self, number: u64) {
        self.builds.retain(|one, _| *one == number);
        for kept in self.builds.values_mut() {
            kept.build.id.state = BuildState::Live;
            // Whoever works on it finds out that what it knows is no longer true.
            kept.build.shards.iter_mut().for_each(|shard| shard.epoch += 1);
        }
    }

    fn of(&mut self, id: &BuildId) -> Option<&mut Kept> {
        self.builds.get_mut(&id.number).filter(|kept| kept.build.id.state == id.state)
    }
}

fn is_live(kept: &Kept) -> bool {
    kept.build.id.state == BuildState::Live
}
