//! A projection of accounts that notices what is missing or comes twice, and the databases that it is kept in.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::handler::HandlerError;
use jitney::prelude::*;
use jitney::sourcing::projection::{Build, BuildState, PoisonEvent, ShardState};
use jitney::sourcing::{
    Append, EventStore, Expected, NewEvent, Position, Projection, ProjectionHandle, Projector, ReadModel,
    StoredEvent, StreamId,
};
use jitney::{Env, Id};

/// The bound on every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Purse")]
pub(crate) enum PurseEvent {
    Filled { cents: u64 },
}

/// What cannot be handled, unless the projection is mended.
pub(crate) const POISON: u64 = 13;

/// What nobody has reckoned with.
pub(crate) const PANIC: u64 = 666;

/// What a row of the read model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Row {
    pub(crate) cents: u64,
    pub(crate) sequence: u64,
}

pub(crate) type Rows = BTreeMap<String, Row>;

/// How a projection behaves, and what it has done.
#[derive(Clone, Default)]
pub(crate) struct Conduct(Arc<Inner>);

#[derive(Default)]
struct Inner {
    mended: Mutex<bool>,
    /// How often an event fails that is worth another try.
    failing: AtomicU32,
    handled: AtomicU64,
    told: Mutex<Vec<(String, u64)>>,
    told_where: Mutex<Vec<(u64, Position)>>,
}

impl Conduct {
    pub(crate) fn mend(&self) {
        *self.0.mended.lock().unwrap() = true;
    }

    pub(crate) fn fail(&self, times: u32) {
        self.0.failing.store(times, Ordering::SeqCst);
    }

    pub(crate) fn handled(&self) -> u64 {
        self.0.handled.load(Ordering::SeqCst)
    }

    pub(crate) fn told(&self) -> Vec<(String, u64)> {
        self.0.told.lock().unwrap().clone()
    }

    /// The sequences and positions of the events that were told.
    pub(crate) fn told_where(&self) -> Vec<(u64, Position)> {
        self.0.told_where.lock().unwrap().clone()
    }

    pub(crate) fn tell(&self, events: &[StoredEvent]) {
        let place = |event: &StoredEvent| (event.sequence(), event.position().clone());
        self.0.told_where.lock().unwrap().extend(events.iter().map(place));
        let about = |event: &StoredEvent| (event.head().aggregate_id.to_string(), event.sequence());
        self.0.told.lock().unwrap().extend(events.iter().map(about));
    }

    /// What `event` changes: the cents that it adds. Fails as it was told to.
    pub(crate) fn cents(&self, event: &StoredEvent) -> Result<u64, HandlerError> {
        let PurseEvent::Filled { cents } = event.decode().map_err(HandlerError::permanent)?;
        if cents == POISON && !*self.0.mended.lock().unwrap() {
            return Err(HandlerError::permanent("that is an unlucky number"));
        }
        assert_ne!(cents, PANIC, "nobody has so much");
        let fail = |times: u32| times.checked_sub(1);
        if self.0.failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fail).is_ok() {
            return Err(HandlerError::retryable("not just now"));
        }
        self.0.handled.fetch_add(1, Ordering::SeqCst);
        Ok(cents)
    }
}

/// A database for read models, with an event store of its own.
pub(crate) trait Database: Sized {
    type Model: ReadModel;
    type Purses: Projection<Connection = <Self::Model as ReadModel>::Connection>;

    async fn new() -> Self;

    fn store(&self) -> Arc<dyn EventStore>;

    /// The read model, through connections of its own, as another process would have it.
    async fn model(&self) -> Self::Model;

    /// The projection `purses`: each version counts the cents so many times.
    fn purses(&self, version: u32, conduct: &Conduct) -> Self::Purses;

    /// What readers see.
    async fn rows(&self) -> Rows;

    async fn projector(&self, version: u32, conduct: &Conduct) -> Projector<Self::Purses, Self::Model> {
        Projector::new(self.store(), self.model().await, self.purses(version, conduct))
            .poll_every(Duration::from_millis(20))
    }

    async fn handle(&self) -> ProjectionHandle<Self::Model> {
        ProjectionHandle::new(self.model().await, "purses").unwrap()
    }

    async fn build(&self, state: BuildState) -> Option<Build> {
        let builds = self.handle().await.builds().await.unwrap();
        builds.into_iter().find(|build| build.id.state == state)
    }
}

/// What was put into purses.
#[derive(Default)]
pub(crate) struct Payer {
    rows: HashMap<String, Row>,
    correlation_id: Option<Id>,
}

impl Payer {
    /// All that it does is of one request.
    pub(crate) fn of_request(correlation_id: &Id) -> Self {
        Payer { correlation_id: Some(correlation_id.clone()), ..Payer::default() }
    }

    /// Puts `cents` into a purse; the position behind it.
    pub(crate) async fn pay(&mut self, store: &dyn EventStore, purse: &str, cents: &[u64]) -> Position {
        let env = Env::system();
        let event = |cents: &u64| {
            let event = NewEvent::new(env.new_id(), env.now(), &PurseEvent::Filled { cents: *cents });
            let mut event = event.unwrap();
            event.metadata.correlation_id.clone_from(&self.correlation_id);
            event
        };
        let append = Append::to(StreamId::new("Purse", purse), Expected::Any, cents.iter().map(event));
        let appended = store.append(append).await.unwrap();
        let row = self.rows.entry(purse.to_owned()).or_default();
        row.cents += cents.iter().sum::<u64>();
        row.sequence += cents.len() as u64;
        appended.position
    }

    /// Puts 1 cent into each of `purses`, `times` times.
    pub(crate) async fn pay_all(&mut self, store: &dyn EventStore, purses: usize, times: usize) -> Position {
        let mut position = Position::START;
        for _ in 0..times {
            for purse in 0..purses {
                position = self.pay(store, &format!("p{purse}"), &[1]).await;
            }
        }
        position
    }

    /// What is to be in a read model that counts cents so many times.
    pub(crate) fn rows(&self, version: u32) -> Rows {
        let row = |row: &Row| Row { cents: row.cents * u64::from(version), ..*row };
        self.rows.iter().map(|(purse, one)| (purse.clone(), row(one))).collect()
    }
}

/// The event that the live build, which has one shard, has stopped at.
pub(crate) async fn stopped_at(handle: &ProjectionHandle<impl ReadModel>) -> PoisonEvent {
    let stopped = handle.builds().await.unwrap().remove(0).shards.remove(0).stopped.unwrap();
    stopped.event().unwrap_or_else(|| panic!("it is at no event: {stopped}")).clone()
}

/// Waits until each shard of the live build is at the end of `store`, or has stopped.
pub(crate) async fn until_at_rest(handle: &ProjectionHandle<impl ReadModel>, store: &dyn EventStore) {
    let end = store.end().await.unwrap();
    let is_done = |shard: &ShardState| shard.stopped.is_some() || shard.position.has_reached(&end);
    until("all shards rest", async || {
        handle.builds().await.unwrap().iter().all(|build| build.shards.iter().all(is_done))
    })
    .await;
}

pub(crate) async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let waiting = async {
        while !done().await {
            Env::system().sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = Env::system().timeout(PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| panic!("it did not come to this: {what}"));
}
