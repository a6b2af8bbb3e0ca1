//! What an event store is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jitney_core::Id;
use jitney_core::personal::Sealer;

use crate::{
    Append, Appended, Error, ErrorKind, Expected, Filter, ListStreams, Page, Position, ReadStream,
    SnapshotStore, StoredEvent, StreamId, StreamInfo,
};

/// Keeps the events of aggregates, each stream in its order, and all of them in one that readers can follow.
///
/// What every store promises, and the suite for stores checks:
///
/// - An [`append`](Self::append) is stored whole or not at all, and its events have sequences without gaps, from 1.
/// - Of several appends that expect the same sequence of a stream, one succeeds.
/// - [`read_all`](Self::read_all) gives each event once, those of a stream in their order, and never an event whose place is
///   before one that it has passed.
/// - Once an append has been answered, stream reads see its events.
#[async_trait]
pub trait EventStore: fmt::Debug + Send + Sync + 'static {
    /// What it can do.
    fn capabilities(&self) -> StoreCapabilities;

    /// What it is and where, for messages; without credentials.
    fn describe(&self) -> String;

    /// Stores events, all of them or none.
    ///
    /// # Errors
    ///
    /// Of kind [`Duplicate`](crate::ErrorKind::Duplicate) when a stream has an event of one of the ids, whatever else is
    /// wrong: so an append that was not answered can be made again. Otherwise [`Ended`](crate::ErrorKind::Ended) and
    /// [`Archived`](crate::ErrorKind::Archived) when a stream takes none;
    /// [`Conflict`](crate::ErrorKind::Conflict) when one is not where it was expected;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the store cannot take so many streams at once;
    /// [`Unknown`](crate::ErrorKind::Unknown) when it is not known whether they are stored. In all other cases
    /// nothing is stored.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether the events are stored, all of them or none.
    async fn append(&self, append: Append) -> Result<Appended, Error>;

    /// Reads a part of a stream; nothing of one that has no events. It gives fewer events than the limit, which may be as
    /// large as [`usize::MAX`], only where the stream ends.
    ///
    /// # Errors
    ///
    /// When the store does not answer, or has something that it cannot have written.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn read_stream(&self, stream: &StreamId, read: ReadStream) -> Result<Vec<StoredEvent>, Error>;

    /// The event of a stream that has the id.
    ///
    /// # Errors
    ///
    /// As [`read_stream`](Self::read_stream).
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn find_event(&self, stream: &StreamId, event_id: &Id) -> Result<Option<StoredEvent>, Error>;

    /// Reads up to `limit` events behind `after`, in the order of the store.
    ///
    /// # Errors
    ///
    /// As [`read_stream`](Self::read_stream); of kind [`Invalid`](crate::ErrorKind::Invalid) when the position is
    /// none of this kind of store.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn read_all(&self, after: &Position, filter: &Filter, limit: usize) -> Result<Page, Error>;

    /// How much there is to read behind `after` for `filter`. Events are counted up to `at_most`. It is a number for people: a
    /// store may leave out what it can only find by reading everything.
    ///
    /// # Errors
    ///
    /// As [`read_all`](Self::read_all).
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn backlog(&self, after: &Position, filter: &Filter, at_most: usize) -> Result<Backlog, Error> {
        let (mut position, mut backlog) = (after.clone(), Backlog::default());
        loop {
            let left = at_most.saturating_sub(usize::try_from(backlog.events).unwrap_or(usize::MAX));
            let page = self.read_all(&position, filter, left.min(1_000)).await?;
            backlog.oldest = backlog.oldest.or(page.events.first().map(|event| event.head().time));
            backlog.events += page.events.len() as u64;
            if page.at_end || left <= page.events.len() || page.position == position {
                return Ok(backlog);
            }
            position = page.position;
        }
    }

    /// Where the newest event is that was stored, whether or not it can be read yet: who has reached it has seen
    /// everything that was stored before this was asked.
    ///
    /// # Errors
    ///
    /// As [`read_stream`](Self::read_stream).
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn end(&self) -> Result<Position, Error>;

    /// Where the newest event of a chain is, whether or not it can be read yet: of those whose
    /// [`correlation_id`](jitney_core::Head::correlation_id) is `correlation_id`. None where the store has none of it yet.
    ///
    /// # Errors
    ///
    /// As [`read_stream`](Self::read_stream); of kind [`Unsupported`](crate::ErrorKind::Unsupported) where the store has no
    /// [index of chains](StoreCapabilities::correlations).
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn end_of_correlation(&self, correlation_id: &Id) -> Result<Option<Position>, Error> {
        let what = format!(
            "looking for the last event of correlation {correlation_id} in {}: it has no index of them; wait for the position \
             that the append has answered",
            self.describe()
        );
        Err(Error::new(ErrorKind::Unsupported, what))
    }

    /// Waits until there may be something to read behind `after`, for no longer than `at_most`.
    ///
    /// It is a hint: it may return early, and a reader that waits for the whole time misses nothing. It does not return early
    /// again and again for events that are there and cannot be read yet.
    ///
    /// # Errors
    ///
    /// When the store was closed.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn wait(&self, after: &Position, at_most: Duration) -> Result<(), Error>;

    /// About a stream, where it has events.
    ///
    /// # Errors
    ///
    /// As [`read_stream`](Self::read_stream).
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn stream_info(&self, stream: &StreamId) -> Result<Option<StreamInfo>, Error>;

    /// The streams of an aggregate type, by their ids in the order of their bytes.
    ///
    /// # Errors
    ///
    /// As [`read_stream`](Self::read_stream).
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn list_streams(&self, list: &ListStreams) -> Result<Vec<StreamInfo>, Error>;

    /// Archives a stream that has events: it takes none until it is restored, and global reads
    /// [can pass over](Filter::without_archived) those that it has. Archiving it again changes nothing.
    ///
    /// # Errors
    ///
    /// Of kind [`Conflict`](crate::ErrorKind::Conflict) when it has no events, [`Ended`](crate::ErrorKind::Ended)
    /// when it was ended; and when the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is archived.
    async fn archive(&self, stream: &StreamId) -> Result<(), Error>;

    /// Restores a stream that was archived. One that is open stays so.
    ///
    /// # Errors
    ///
    /// As [`archive`](Self::archive).
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is restored.
    async fn restore(&self, stream: &StreamId) -> Result<(), Error>;

    /// Ends a stream with a tombstone: it takes no events ever again. Those that it has can be read. Ending it again
    /// changes nothing, wherever it is.
    ///
    /// # Errors
    ///
    /// Of kind [`Conflict`](crate::ErrorKind::Conflict) when it has no events or is not where it was expected;
    /// [`Archived`](crate::ErrorKind::Archived) when it is archived; and when the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is ended.
    async fn end_stream(&self, stream: &StreamId, expected: Expected) -> Result<(), Error>;

    /// Where snapshots of aggregates are kept, where this store keeps them.
    fn snapshots(&self) -> Option<&dyn SnapshotStore> {
        None
    }

    /// What seals the personal data of this store, where it was given something: the store then seals the events that it is given,
    /// and opens those that it gives, by its [`Sealing`](crate::Sealing); repositories seal and open the states in snapshots. A store
    /// that passes everything on to another one answers what that one does.
    fn sealer(&self) -> Option<&dyn Sealer> {
        None
    }
}

/// A store that can append in a transaction of the caller's.
pub trait TransactionalStore: EventStore {
    /// The connection that the transaction is open on.
    type Connection: Send;

    /// Stores events when the caller's transaction is committed, all of them or none. Their personal data is sealed while it is open,
    /// unless [that was done](Append::seal) before it was begun.
    ///
    /// # Errors
    ///
    /// As [`EventStore::append`]. The caller's transaction is then to be rolled back.
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, the transaction is to be rolled back.
    fn append_in(
        &self,
        connection: &mut Self::Connection,
        append: Append,
    ) -> impl Future<Output = Result<Appended, Error>> + Send;
}

/// What there is to read behind a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Backlog {
    /// How many events.
    pub events: u64,
    /// When the first of them was recorded.
    pub oldest: Option<Timestamp>,
}

impl Backlog {
    /// So many events, the first of them recorded at `oldest`.
    pub const fn new(events: u64, oldest: Option<Timestamp>) -> Self {
        Backlog { events, oldest }
    }
}

/// What an event store can do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreCapabilities {
    /// The name of the backend, as in its URL scheme.
    pub backend: &'static str,
    /// What was appended survives a crash of this process.
    pub durable: bool,
    /// All events have one order; otherwise those of a part of the store.
    pub one_order: bool,
    /// Which streams one append may be for.
    pub streams_per_append: StreamsPerAppend,
    /// Snapshots are kept here too.
    pub snapshots: bool,
    /// The last event of a correlation id is found without reading the others.
    pub correlations: bool,
}

/// Which streams one append may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamsPerAppend {
    /// One.
    One,
    /// Several of one part of the store.
    SamePart,
    /// Any.
    Any,
}

impl StoreCapabilities {
    /// A store that can do the least.
    pub const fn none(backend: &'static str) -> Self {
        StoreCapabilities {
            backend,
            durable: false,
            one_order: false,
            streams_per_append: StreamsPerAppend::One,
            snapshots: false,
            correlations: false,
        }
    }
}

/// What a [`Repository`](crate::Repository) takes: a store, or one that is shared.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no event store",
    label = "not an event store",
    note = "give a store (`MemoryStore::new()`, `SqliteStore::open(…)`), or an `Arc<dyn EventStore>`"
)]
pub trait IntoEventStore {
    /// The store, shared.
    fn into_event_store(self) -> Arc<dyn EventStore>;
}

#[diagnostic::do_not_recommend]
impl<S: EventStore> IntoEventStore for S {
    fn into_event_store(self) -> Arc<dyn EventStore> {
        Arc::new(self)
    }
}

impl<S: EventStore> IntoEventStore for Arc<S> {
    fn into_event_store(self) -> Arc<dyn EventStore> {
        self
    }
}

impl IntoEventStore for Arc<dyn EventStore> {
    fn into_event_store(self) -> Arc<dyn EventStore> {
        self
    }
}
