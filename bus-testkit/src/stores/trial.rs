//! One run of one check: aggregate types of its own, handles on the store, and bounded waits.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jitney_core::Env;
use jitney_sourcing::{
    Append, Appended, Error, ErrorKind, EventStore, Expected, Filter, NewEvent, Page, Position, ReadStream,
    StoreCapabilities, StoredEvent, StreamId,
};

use super::content;
use super::fixture::StoreFixture;
use crate::conformance::failure::{Failure, Outcome, ensure};

/// How long to wait before a store is asked again that has no news, or whose part of the store another one writes to.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Trial<'f> {
    pub(super) fixture: &'f dyn StoreFixture,
    pub(super) capabilities: StoreCapabilities,
    pub(super) env: Env,
    /// Two aggregate types that nobody else has.
    pub(super) types: [String; 2],
    names: AtomicU64,
    random: Mutex<fastrand::Rng>,
}

impl<'f> Trial<'f> {
    /// Has the fixture make what the aggregate types of this check need, and asks the store what it can do.
    pub(super) async fn begin(fixture: &'f dyn StoreFixture, check: &'static str) -> Result<Self, Error> {
        let prefix = format!("{}-{}", fixture.prefix(), check.replace('_', "-"));
        let types = [format!("{prefix}-a"), format!("{prefix}-b")];
        fixture.prepare(&[&types[0], &types[1], content::AGGREGATE]).await?;
        Ok(Trial {
            fixture,
            capabilities: fixture.store().await?.capabilities(),
            env: Env::system(),
            types,
            names: AtomicU64::new(0),
            random: Mutex::new(fastrand::Rng::with_seed(fixture.seed())),
        })
    }

    pub(super) async fn store(&self) -> Outcome<Arc<dyn EventStore>> {
        Ok(self.fixture.store().await?)
    }

    /// An aggregate id that nobody else has, behind those before it.
    pub(super) fn id(&self) -> String {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number:06}", self.types[0])
    }

    /// A stream that has no events.
    pub(super) fn stream(&self) -> StreamId {
        StreamId::new(self.types[0].clone(), self.id())
    }

    /// A stream of the other aggregate type that has no events.
    pub(super) fn other_stream(&self) -> StreamId {
        StreamId::new(self.types[1].clone(), self.id())
    }

    /// The events of this check.
    pub(super) fn filter(&self) -> Filter {
        Filter::all().aggregate_types(self.types.clone())
    }

    /// `count` events that nobody has appended.
    pub(super) fn events(&self, count: usize) -> Vec<NewEvent> {
        (0..count).map(|number| content::event(&self.env, number as u64)).collect()
    }

    /// An append of `count` new events.
    pub(super) fn append_of(&self, stream: &StreamId, expected: Expected, count: usize) -> Append {
        Append::to(stream.clone(), expected, self.events(count))
    }

    /// A number below `bound`, from the fixture's seed.
    pub(super) fn random(&self, bound: usize) -> usize {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).usize(..bound)
    }

    /// Waits for something that must come.
    pub(super) async fn wait<F: Future>(&self, what: &str, future: F) -> Outcome<F::Output> {
        let patience = self.fixture.patience();
        let waited = self.env.timeout(patience, future).await;
        waited.map_err(|_| Failure(format!("waited {patience:?} in vain for {what}")))
    }

    /// What the store answers to an append, once it is the one that writes to that part of the store.
    pub(super) async fn try_append(
        &self,
        store: &dyn EventStore,
        append: Append,
    ) -> Outcome<Result<Appended, Error>> {
        self.wait("the answer to an append", append_as_owner(&self.env, store, append)).await
    }

    /// What the store answers to a change, once it is the one that writes to that part of the store.
    pub(super) async fn as_owner<T, F: Future<Output = Result<T, Error>>>(
        &self,
        change: impl Fn() -> F,
    ) -> Result<T, Error> {
        let changing = async {
            loop {
                match change().await {
                    Err(error) if error.kind() == ErrorKind::NotOwner => self.env.sleep(PAUSE).await,
                    answer => return answer,
                }
            }
        };
        let (patience, what) = (self.fixture.patience(), "waited in vain to be the one that writes");
        let changed = self.env.timeout(patience, changing).await;
        changed.unwrap_or_else(|_| Err(Error::new(ErrorKind::NotOwner, what)))
    }

    /// Appends what the store must take.
    pub(super) async fn append(&self, store: &dyn EventStore, append: Append) -> Outcome<Appended> {
        Ok(self.try_append(store, append).await??)
    }

    /// Appends `count` new events.
    pub(super) async fn append_some(
        &self,
        store: &dyn EventStore,
        stream: &StreamId,
        count: usize,
    ) -> Outcome<Appended> {
        self.append(store, self.append_of(stream, Expected::Any, count)).await
    }

    /// Appends what the store must refuse with an error of `kind`.
    pub(super) async fn refused(
        &self,
        store: &dyn EventStore,
        append: Append,
        kind: ErrorKind,
        what: &str,
    ) -> Outcome<Error> {
        is_refused(self.try_append(store, append).await?, kind, what)
    }

    /// Appends through the first of `stores` that writes to that part of the store what must be refused with an error of `kind`.
    pub(super) async fn refused_by(
        &self,
        stores: [&dyn EventStore; 2],
        append: Append,
        kind: ErrorKind,
        what: &str,
    ) -> Outcome<Error> {
        let appending = self.as_owner(async || match stores[0].append(append.clone()).await {
            Err(error) if error.kind() == ErrorKind::NotOwner => stores[1].append(append.clone()).await,
            answer => answer,
        });
        is_refused(appending.await, kind, what)
    }

    /// The events of a stream, all of them.
    pub(super) async fn stored(
        &self,
        store: &dyn EventStore,
        stream: &StreamId,
    ) -> Outcome<Vec<StoredEvent>> {
        Ok(self.wait("a stream read", store.read_stream(stream, ReadStream::forward())).await??)
    }

    pub(super) async fn page(
        &self,
        store: &dyn EventStore,
        after: &Position,
        filter: &Filter,
        limit: usize,
    ) -> Outcome<Page> {
        Ok(self.wait("a read of all events", store.read_all(after, filter, limit)).await??)
    }

    /// Reads all events from the start, in pages of `limit`, until `target` is reached.
    pub(super) async fn read_to(
        &self,
        store: &dyn EventStore,
        filter: &Filter,
        limit: usize,
        target: &Position,
    ) -> Outcome<Vec<StoredEvent>> {
        self.read_between(store, &Position::START, filter, limit, target).await
    }

    /// Reads all events behind `after`, in pages of `limit`, until `target` is reached.
    pub(super) async fn read_between(
        &self,
        store: &dyn EventStore,
        after: &Position,
        filter: &Filter,
        limit: usize,
        target: &Position,
    ) -> Outcome<Vec<StoredEvent>> {
        let what = format!("a reader of all events to reach {target}");
        self.wait(&what, async {
            let (mut events, mut position) = (Vec::new(), after.clone());
            loop {
                // Stores that never wait must leave time for the bound.
                tokio::task::yield_now().await;
                let page = store.read_all(&position, filter, limit).await?;
                let count = page.events.len();
                ensure!(count <= limit, "a page of at most {limit} events has {count}");
                ensure!(
                    page.position.has_reached(&position),
                    "a page behind {position} ends at {}, which has not reached that",
                    page.position
                );
                events.extend(page.events);
                position = page.position;
                if position.has_reached(target) {
                    return Ok(events);
                }
                if page.at_end {
                    store.wait(&position, PAUSE).await?;
                }
            }
        })
        .await?
    }
}

fn is_refused(answer: Result<Appended, Error>, kind: ErrorKind, what: &str) -> Outcome<Error> {
    match answer {
        Ok(appended) => Err(Failure(format!("{what} was taken: {appended:?}"))),
        Err(error) => {
            let actual = error.kind();
            ensure!(actual == kind, "{what} was refused as {actual:?} and not as {kind:?}: {error:?}");
            Ok(error)
        }
    }
}

/// Appends again as long as another process writes to that part of the store.
pub(super) async fn append_as_owner(
    env: &Env,
    store: &dyn EventStore,
    append: Append,
) -> Result<Appended, Error> {
    loop {
        match store.append(append.clone()).await {
            Err(error) if error.kind() == ErrorKind::NotOwner => env.sleep(PAUSE).await,
            answer => return answer,
        }
    }
}
