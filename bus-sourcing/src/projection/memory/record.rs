//! What is kept of one projection: its builds, who has which shard, and what was passed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jitney_core::Id;
use jitney_core::outbox::{Shard, Share};
use tokio::time::Instant;

use crate::projection::{
    Build, BuildId, BuildState, Leased, NewBuild, PassedEvent, PoisonEvent, ShardLease, ShardState, Step,
};

/// A projection. A copy is changed and takes its place.
#[derive(Debug, Clone)]
pub(super) struct Record<S> {
    last_number: u64,
    builds: BTreeMap<u64, Kept<S>>,
}

#[derive(Debug, Clone)]
struct Kept<S> {
    build: Build,
    state: S,
    workers: HashMap<String, Instant>,
    passed: Vec<PassedEvent>,
}

impl<S> Default for Record<S> {
    fn default() -> Self {
        Record { last_number: 0, builds: BTreeMap::new() }
    }
}

impl<S: Clone + Default> Record<S> {
    pub(super) fn builds(&self) -> Vec<Build> {
        // The next one is always the newer one.
        self.builds.values().map(|kept| kept.build.clone()).collect()
    }

    pub(super) fn live_number(&self) -> u64 {
        self.builds.values().find(|kept| is_live(kept)).map_or(0, |kept| kept.build.id.number)
    }

    pub(super) fn live_state(&self) -> Option<&S> {
        self.state(self.live_number())
    }

    pub(super) fn state(&self, number: u64) -> Option<&S> {
        self.builds.get(&number).map(|kept| &kept.state)
    }

    pub(super) fn set_state(&mut self, number: u64, state: S) {
        if let Some(kept) = self.builds.get_mut(&number) {
            kept.state = state;
        }
    }

    pub(super) fn passed(&self, number: u64) -> Vec<PassedEvent> {
        self.builds.get(&number).map(|kept| kept.passed.clone()).unwrap_or_default()
    }

    pub(super) fn add(&mut self, new: &NewBuild) -> Option<u64> {
        if new.state == BuildState::Live && self.live_number() != 0 {
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
        let kept = Kept { build, state: S::default(), workers: HashMap::new(), passed: Vec::new() };
        self.builds.insert(number, kept);
        Some(number)
    }

    pub(super) fn lease(&mut self, id: &BuildId, worker: &str, now: Instant, lease: Duration) -> Leased {
        let Some(kept) = self.of(id) else { return Leased::default() };
        kept.workers.retain(|_, until| *until > now);
        kept.workers.insert(worker.to_owned(), now + lease);
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
        Leased { paused: kept.build.paused, shards: share.into_shards().into_iter().map(lease).collect() }
    }

    pub(super) fn release(&mut self, worker: &str) {
        for kept in self.builds.values_mut() {
            kept.workers.remove(worker);
            let held = kept.build.shards.iter_mut().filter(|shard| shard.owner.as_deref() == Some(worker));
            held.for_each(|shard| shard.owner = None);
        }
    }

    pub(super) fn stop(&mut self, id: &BuildId, lease: &ShardLease, event: &PoisonEvent) {
        let shard = self.of(id).and_then(|kept| kept.build.shards.get_mut(usize::from(lease.shard)));
        if let Some(shard) = shard
            && (shard.epoch, &shard.position) == (lease.epoch, &lease.position)
        {
            shard.stopped = Some(event.clone());
        }
    }

    pub(super) fn set_paused(&mut self, paused: bool) {
        for kept in self.builds.values_mut() {
            kept.build.paused = paused;
            if !paused {
                kept.build.shards.iter_mut().for_each(|shard| shard.stopped = None);
            }
        }
    }

    pub(super) fn skip(&mut self, event_id: &Id) -> bool {
        let mut skipped = false;
        for kept in self.builds.values_mut() {
            for shard in &mut kept.build.shards {
                if let Some(event) = shard.stopped.take_if(|event| event.event_id == *event_id) {
                    kept.passed.push(PassedEvent::new(event, true));
                    skipped = true;
                }
            }
        }
        skipped
    }

    pub(super) fn advance(&mut self, number: u64, step: &Step<'_>) -> bool {
        let Some(kept) = self.builds.get_mut(&number).filter(|kept| !kept.build.paused) else { return false };
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

    pub(super) fn replace(&mut self, number: u64) {
        self.builds.retain(|one, _| *one == number);
        for kept in self.builds.values_mut() {
            kept.build.id.state = BuildState::Live;
        }
    }

    fn of(&mut self, id: &BuildId) -> Option<&mut Kept<S>> {
        self.builds.get_mut(&id.number).filter(|kept| kept.build.id.state == id.state)
    }
}

fn is_live<S>(kept: &Kept<S>) -> bool {
    kept.build.id.state == BuildState::Live
}
