//! Repositories: from an id to an aggregate and back, over an event store.

mod load;
mod request;
mod save;
mod snapshots;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use jitney_core::{DomainEvent, Env};

pub use self::load::AsOf;
pub use self::request::{HandleError, Handled, Request};
use self::snapshots::Snapshots;
use crate::{Aggregate, AggregateRoot, Appended, Error, EventStore, IntoEventStore, StreamId};

/// Loads aggregates of one type from a store, has them decide, and appends what they decided.
///
/// It caches nothing: each load asks the store. Clones share the store.
pub struct Repository<A: Aggregate> {
    store: Arc<dyn EventStore>,
    env: Env,
    attempts: u32,
    snapshots: Option<Snapshots<A>>,
    aggregate: PhantomData<fn() -> A>,
}

impl<A: Aggregate> Repository<A> {
    /// The aggregates of type `A` in `store`.
    ///
    /// # Panics
    ///
    /// At compile time where the events of `A` are of no type, or of aggregates of different types.
    pub fn new(store: impl IntoEventStore) -> Self {
        const {
            assert!(is_of_one_aggregate::<A::Event>(), "the events of an aggregate are of one aggregate type")
        };
        Repository {
            store: store.into_event_store(),
            env: Env::system(),
            attempts: 10,
            snapshots: None,
            aggregate: PhantomData,
        }
    }

    /// With time and ids of `env`.
    #[must_use]
    pub fn with_env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// Decides on a command up to `attempts` times when others are faster, 10 unless told; at least once.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    /// The stream of the aggregate `id`.
    pub fn stream(&self, id: impl Into<String>) -> StreamId {
        StreamId::new(A::Event::TYPES[0].aggregate(), id)
    }

    /// Has the aggregate `id` decide on `command`, and appends what it decides: the request without an id, of nobody.
    ///
    /// # Errors
    ///
    /// As [`Request::handle`].
    ///
    /// # Cancellation
    ///
    /// As [`Request::handle`].
    pub async fn handle(
        &self,
        id: impl Into<String>,
        command: A::Command,
    ) -> Result<Handled<A>, HandleError<A::Error>> {
        self.request().handle(id, command).await
    }

    /// What is said about a command beside the command: its id, who asks, and because of which event.
    pub fn request(&self) -> Request<'_, A> {
        Request::new(self)
    }

    /// Loads the aggregate `id`; one without events is in its default state.
    ///
    /// # Errors
    ///
    /// When the store does not answer, or has an event that cannot be read.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn load(&self, id: impl Into<String>) -> Result<AggregateRoot<A>, Error> {
        self.load_stream(self.stream(id)).await
    }

    /// The state that the aggregate `id` had, from its events alone.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn load_as_of(&self, id: impl Into<String>, as_of: AsOf) -> Result<AggregateRoot<A>, Error> {
        self.load_stream_as_of(self.stream(id), as_of).await
    }

    /// Appends what `root` has raised, where the stream is as it was when the root was loaded. None where it has raised
    /// nothing.
    ///
    /// # Errors
    ///
    /// Those of [`EventStore::append`]; the root keeps what it has raised, and can be saved again. A root whose events are
    /// in the store, since an earlier call was not answered, is saved.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether the events are stored; saving the root again finds out.
    pub async fn save(&self, root: &mut AggregateRoot<A>) -> Result<Option<Appended>, Error> {
        self.append_uncommitted(root).await
    }
}

/// Whether all events of an enum are of one aggregate type.
const fn is_of_one_aggregate<E: DomainEvent>() -> bool {
    let mut index = 0;
    while index < E::TYPES.len() {
        if !same(E::TYPES[index].aggregate().as_bytes(), E::TYPES[0].aggregate().as_bytes()) {
            return false;
        }
        index += 1;
    }
    index > 0
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut index = 0;
    while index < a.len() && index < b.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    a.len() == b.len()
}

impl<A: Aggregate> Clone for Repository<A> {
    fn clone(&self) -> Self {
        Repository {
            store: Arc::clone(&self.store),
            env: self.env.clone(),
            attempts: self.attempts,
            snapshots: self.snapshots,
            aggregate: PhantomData,
        }
    }
}

impl<A: Aggregate> fmt::Debug for Repository<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository")
            .field("aggregate", &A::Event::TYPES[0].aggregate())
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
