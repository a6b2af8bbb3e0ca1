//! Read models in memory: for tests, and the one that the others are compared with.

mod inline;
mod receipts;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jitney_core::{Env, Id};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

pub(crate) use self::inline::KeptUp;
use self::receipts::Receipts;
use super::{
    Build, BuildId, BuildState, BusReadModel, BusTransaction, Leased, Mark, NewBuild, PassedEvent,
    ProjectionRecord, ReadModel, ReadModelTransaction, Received, ShardLease, Step, Stopped,
};
use crate::Error;
use crate::memory::{Appends, HeldUp};

/// Keeps the state `S` of each projection in this process; clones share them.
///
/// A projection is given the state itself as its [`Connection`](super::Projection::Connection): a copy of it, which takes the
/// place of the old one when the transaction is committed. Transactions come one after the other.
pub struct MemoryReadModel<S> {
    env: Env,
    /// When leases are reckoned from.
    start: Instant,
    projections: Arc<Mutex<BTreeMap<String, Kept<S>>>>,
    /// Whoever has it may write.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// The store that it is beside, where projections are to be inline in that.
    beside: Option<Appends>,
}

/// A projection. A copy is changed and takes its place.
#[derive(Clone)]
struct Kept<S> {
    record: ProjectionRecord,
    places: BTreeMap<u64, Place<S>>,
    /// The appends that keep its live build up, where that is inline.
    inline: Option<Appends>,
}

/// What a build has, by its number.
#[derive(Clone, Default)]
struct Place<S> {
    state: S,
    receipts: Receipts,
}

impl<S> Default for Kept<S> {
    fn default() -> Self {
        Kept { record: ProjectionRecord::default(), places: BTreeMap::new(), inline: None }
    }
}

impl<S> Kept<S> {
    fn is_inline(&self) -> bool {
        self.record.builds().iter().any(|build| build.inline)
    }
}

/// `builds`, of which one that is inline is where the store ends.
fn placed(mut builds: Vec<Build>, appends: Option<&Appends>) -> Vec<Build> {
    let inline = builds.iter_mut().filter(|build| build.inline);
    for (build, appends) in inline.zip(appends) {
        let end = appends.end();
        build.shards.iter_mut().for_each(|shard| shard.position = end.clone());
    }
    builds
}

impl<S: Clone + Default + Send + Sync + 'static> MemoryReadModel<S> {
    /// A read model without projections.
    pub fn new() -> Self {
        MemoryReadModel::with_env(Env::system())
    }

    /// The same, whose leases go by the clock of `env`.
    pub fn with_env(env: Env) -> Self {
        let (start, projections, turn) = (env.instant(), Arc::default(), Arc::default());
        MemoryReadModel { start, env, projections, turn, beside: None }
    }

    /// Looks at the state of a projection as it was last committed; none where it has no live build.
    pub fn read<T>(&self, projection: &str, look: impl FnOnce(&S) -> T) -> Option<T> {
        let projections = self.projections();
        let kept = projections.get(projection)?;
        kept.places.get(&kept.record.live()?).map(|place| look(&place.state))
    }

    /// The appends that keep a projection up, where it is inline.
    fn inline(&self, projection: &str) -> Option<Appends> {
        self.projections().get(projection)?.inline.clone()
    }

    // A projection is replaced whole.
    fn projections(&self) -> MutexGuard<'_, BTreeMap<String, Kept<S>>> {
        self.projections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, projection: &str) -> ProjectionRecord {
        self.projections().get(projection).map(|kept| kept.record.clone()).unwrap_or_default()
    }

    async fn transaction(&self, projection: &str, number: u64) -> MemoryTransaction<S> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let (record, place) = match self.projections().get(projection) {
            Some(kept) => (kept.record.clone(), kept.places.get(&number).cloned()),
            None => Default::default(),
        };
        let (model, projection, place) = (self.clone(), projection.to_owned(), place.unwrap_or_default());
        MemoryTransaction { model, projection, number, record, place, held_up: None, _turn: turn }
    }

    /// Changes a record while nobody else does.
    async fn change<T>(&self, projection: &str, change: impl FnOnce(&mut ProjectionRecord) -> T) -> T {
        let _turn = self.turn.lock().await;
        change(&mut self.projections().entry(projection.to_owned()).or_default().record)
    }
}

impl<S: Clone + Default + Send + Sync + 'static> Default for MemoryReadModel<S> {
    fn default() -> Self {
        MemoryReadModel::new()
    }
}

impl<S> Clone for MemoryReadModel<S> {
    fn clone(&self) -> Self {
        let MemoryReadModel { env, start, projections, turn, beside } = self;
        MemoryReadModel {
            env: env.clone(),
            start: *start,
            projections: Arc::clone(projections),
            turn: Arc::clone(turn),
            beside: beside.clone(),
        }
    }
}

impl<S> fmt::Debug for MemoryReadModel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReadModel").finish_non_exhaustive()
    }
}

impl<S: Clone + Default + Send + Sync + 'static> ReadModel for MemoryReadModel<S> {
    type Connection = S;
    type Transaction = MemoryTransaction<S>;

    fn describe(&self) -> String {
        "the read model in memory".to_owned()
    }

    async fn builds(&self, projection: &str) -> Result<Vec<Build>, Error> {
        let appends = self.inline(projection);
        Ok(placed(self.record(projection).builds(), appends.as_ref()))
    }

    async fn begin_build(&self, build: &NewBuild) -> Result<Option<MemoryTransaction<S>>, Error> {
        let mut transaction = self.transaction(&build.projection, 0).await;
        Ok(transaction.record.begin_build(build).map(|number| {
            transaction.number = number;
            transaction
        }))
    }

    async fn lease(&self, build: &BuildId, worker: &str, lease: Duration) -> Result<Leased, Error> {
        let passed = self.env.instant().saturating_duration_since(self.start);
        let now = Timestamp::UNIX_EPOCH.checked_add(passed).unwrap_or(Timestamp::MAX);
        Ok(self.change(&build.projection, |record| record.lease(build, worker, now, lease)).await)
    }

    async fn release(&self, projection: &str, worker: &str) -> Result<(), Error> {
        self.change(projection, |record| record.release(worker)).await;
        Ok(())
    }

    async fn begin(&self, build: &BuildId, _lease: Duration) -> Result<MemoryTransaction<S>, Error> {
        Ok(self.transaction(&build.projection, build.number).await)
    }

    async fn stop(&self, build: &BuildId, lease: &ShardLease, stopped: &Stopped) -> Result<(), Error> {
        self.change(&build.projection, |record| record.stop(build, lease, stopped)).await;
        Ok(())
    }

    async fn set_paused(&self, projection: &str, paused: bool) -> Result<(), Error> {
        self.change(projection, |record| record.set_paused(paused)).await;
        Ok(())
    }

    async fn skip(&self, projection: &str, event_id: &Id) -> Result<bool, Error> {
        Ok(self.change(projection, |record| record.skip(event_id)).await)
    }

    async fn is_skipped(&self, build: &BuildId, event_id: &Id) -> Result<bool, Error> {
        Ok(self.record(&build.projection).is_skipped(build.number, event_id))
    }

    async fn passed(&self, projection: &str, limit: usize) -> Result<Vec<PassedEvent>, Error> {
        let record = self.record(projection);
        let live = record.live().into_iter();
        Ok(live.flat_map(|live| record.passed(live)).take(limit).cloned().collect())
    }
}

impl<S: Clone + Default + Send + Sync + 'static> BusReadModel for MemoryReadModel<S> {
    async fn has_received(&self, build: &BuildId, mark: &Mark<'_>) -> Result<bool, Error> {
        let projections = self.projections();
        let place = projections.get(&build.projection).and_then(|kept| kept.places.get(&build.number));
        Ok(place.is_some_and(|place| place.receipts.has(mark)))
    }
}

/// A transaction of a [`MemoryReadModel`].
pub struct MemoryTransaction<S> {
    model: MemoryReadModel<S>,
    projection: String,
    number: u64,
    record: ProjectionRecord,
    place: Place<S>,
    /// Nobody appends to a store whose appends keep the projection up.
    held_up: Option<HeldUp>,
    _turn: OwnedMutexGuard<()>,
}

impl<S> fmt::Debug for MemoryTransaction<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransaction").field("projection", &self.projection).finish_non_exhaustive()
    }
}

impl<S: Clone + Default + Send + Sync + 'static> ReadModelTransaction for MemoryTransaction<S> {
    type Connection = S;

    fn connection(&mut self) -> &mut S {
        &mut self.place.state
    }

    async fn advance(&mut self, step: &Step<'_>) -> Result<bool, Error> {
        Ok(self.record.advance(self.number, step))
    }

    async fn lock(&mut self) -> Result<Vec<Build>, Error> {
        let appends = self.model.inline(&self.projection);
        if let Some(appends) = &appends {
            self.held_up = Some(appends.hold_up().await);
        }
        Ok(placed(self.record.builds(), appends.as_ref()))
    }

    async fn replace(&mut self) -> Result<bool, Error> {
        self.record.replace(self.number);
        Ok(true)
    }

    async fn commit(self) -> Result<(), Error> {
        let mut projections = self.model.projections();
        let kept = projections.entry(self.projection).or_default();
        kept.places.insert(self.number, self.place);
        kept.places.retain(|number, _| self.record.has(*number));
        kept.record = self.record;
        if !kept.is_inline() {
            kept.inline = None;
        }
        Ok(())
    }
}

impl<S: Clone + Default + Send + Sync + 'static> BusTransaction for MemoryTransaction<S> {
    async fn receive(&mut self, mark: &Mark<'_>, overtaken_too: bool) -> Result<Received, Error> {
        let builds = self.record.builds();
        let takes_events = |build: &Build| {
            let has_stopped = build.shards.iter().any(|shard| shard.stopped.is_some());
            build.id.number == self.number
                && build.id.state == BuildState::Live
                && !build.paused
                && !has_stopped
        };
        if !builds.iter().any(takes_events) {
            return Ok(Received::Closed);
        }
        Ok(self.place.receipts.receive(mark, overtaken_too))
    }
}
