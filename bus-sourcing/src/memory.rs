//! The store in memory: for tests, and the one that the others are compared with.

mod log;
mod published;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::outbox::MemoryOutbox;
use jitney_core::{Env, Id};
use tokio::sync::watch;

use self::log::Log;
use crate::{
    Append, Appended, Error, ErrorKind, EventStore, Expected, Filter, ListStreams, Page, Position,
    ReadStream, SnapshotStore, StoreCapabilities, StoredEvent, StoredSnapshot, StreamId, StreamInfo,
    StreamState, StreamsPerAppend,
};

/// Keeps events in this process; clones share them.
///
/// ```
/// use jitney_sourcing::{EventStore, MemoryStore};
///
/// let store = MemoryStore::new();
/// assert!(!store.capabilities().durable);
/// ```
#[derive(Debug, Clone)]
pub struct MemoryStore {
    env: Env,
    log: Arc<Mutex<Log>>,
    length: watch::Sender<u64>,
    outbox: Option<(MemoryOutbox, Filter)>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::new()
    }
}

impl MemoryStore {
    /// A store without events.
    pub fn new() -> Self {
        MemoryStore::with_env(Env::system())
    }

    /// A store without events that waits by the clock of `env`.
    pub fn with_env(env: Env) -> Self {
        MemoryStore { env, log: Arc::default(), length: watch::Sender::new(0), outbox: None }
    }

    /// Puts the events that `filter` is for into `outbox` too, each append's all or none. A
    /// [`Relay`](jitney_core::outbox::Relay) publishes them from there, under their ids and with their sequences.
    ///
    /// ```
    /// use jitney_core::outbox::MemoryOutbox;
    /// use jitney_sourcing::{Filter, MemoryStore};
    ///
    /// let outbox = MemoryOutbox::new();
    /// let store = MemoryStore::new().with_outbox(outbox.clone(), Filter::all());
    /// ```
    #[must_use]
    pub fn with_outbox(mut self, outbox: MemoryOutbox, filter: Filter) -> Self {
        self.outbox = Some((outbox, filter));
        self
    }

    // A log is never left half changed: what can panic comes before the first change.
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    fn capabilities(&self) -> StoreCapabilities {
        StoreCapabilities {
            one_order: true,
            streams_per_append: StreamsPerAppend::Any,
            snapshots: true,
            correlations: true,
            ..StoreCapabilities::none("memory")
        }
    }

    fn describe(&self) -> String {
        "the event store in memory".to_owned()
    }

    async fn append(&self, append: Append) -> Result<Appended, Error> {
        append.check()?;
        let (appended, length) = {
            let mut log = self.log();
            if let Some((outbox, filter)) = &self.outbox {
                log.refuse(&append)?;
                let added = outbox.add_all(published::events(&log, &append, filter));
                added.map_err(|error| {
                    let what = "appending: putting the events into the outbox";
                    Error::new(ErrorKind::Encode, what).with_source(error)
                })?;
            }
            (log.append(append)?, log.len())
        };
        // Two appends may come here in the other order; the length never goes back.
        self.length.send_if_modified(|known| length > std::mem::replace(known, length.max(*known)));
        Ok(appended)
    }

    async fn read_stream(&self, stream: &StreamId, read: ReadStream) -> Result<Vec<StoredEvent>, Error> {
        Ok(self.log().read_stream(stream, read))
    }

    async fn find_event(&self, stream: &StreamId, event_id: &Id) -> Result<Option<StoredEvent>, Error> {
        Ok(self.log().find(stream, event_id).cloned())
    }

    async fn read_all(&self, after: &Position, filter: &Filter, limit: usize) -> Result<Page, Error> {
        self.log().read_all(after, filter, limit)
    }

    async fn end(&self) -> Result<Position, Error> {
        Ok(Position::at([self.log().len()]))
    }

    async fn end_of_correlation(&self, correlation_id: &Id) -> Result<Option<Position>, Error> {
        Ok(self.log().end_of_correlation(correlation_id))
    }

    async fn wait(&self, after: &Position, at_most: Duration) -> Result<(), Error> {
        let after = log::number(after)?;
        let mut length = self.length.subscribe();
        // The sender lives as long as this store, and the time limit is what the caller asked for.
        let _ = self.env.timeout(at_most, length.wait_for(|length| *length > after)).await;
        Ok(())
    }

    async fn stream_info(&self, stream: &StreamId) -> Result<Option<StreamInfo>, Error> {
        Ok(self.log().info(stream))
    }

    async fn list_streams(&self, list: &ListStreams) -> Result<Vec<StreamInfo>, Error> {
        Ok(self.log().list(list))
    }

    async fn archive(&self, stream: &StreamId) -> Result<(), Error> {
        self.log().set_state(stream, Expected::Exists, StreamState::Archived)
    }

    async fn restore(&self, stream: &StreamId) -> Result<(), Error> {
        self.log().set_state(stream, Expected::Exists, StreamState::Open)
    }

    async fn end_stream(&self, stream: &StreamId, expected: Expected) -> Result<(), Error> {
        self.log().set_state(stream, expected, StreamState::Ended)
    }

    fn snapshots(&self) -> Option<&dyn SnapshotStore> {
        Some(self)
    }
}

#[async_trait]
impl SnapshotStore for MemoryStore {
    async fn load_snapshot(&self, stream: &StreamId) -> Result<Option<StoredSnapshot>, Error> {
        Ok(self.log().snapshots.get(stream).cloned())
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: StoredSnapshot) -> Result<(), Error> {
        self.log().snapshots.insert(stream.clone(), snapshot);
        Ok(())
    }

    async fn delete_snapshot(&self, stream: &StreamId) -> Result<(), Error> {
        self.log().snapshots.remove(stream);
        Ok(())
    }
}
