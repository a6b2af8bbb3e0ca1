//! A store in memory with something that happens before or after its appends, and in whose calls others have their turn.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jitney::Id;
use jitney::sourcing::{
    Append, Appended, Error, ErrorKind, EventStore, Expected, Filter, ListStreams, MemoryStore, Page,
    Position, ReadStream, Result, SnapshotStore, StoreCapabilities, StoredEvent, StreamId, StreamInfo,
};
use tokio::task::yield_now;

/// What happens at one append.
#[derive(Debug, Clone)]
pub(crate) enum Incident {
    /// Somebody else appends this first.
    Overtaken(Append),
    /// The events are stored, and the answer is lost.
    AnswerLost,
    /// The events are not stored, and nobody knows.
    Vanished,
    /// The store cannot be reached; it says so.
    Down,
}

/// The store, and what is to happen at its next appends; clones share both.
#[derive(Debug, Clone, Default)]
pub(crate) struct InterposedStore {
    pub(crate) inner: MemoryStore,
    incidents: Arc<Mutex<VecDeque<Incident>>>,
    /// It never waits, and counts the looks at all of its events here.
    restless: Option<Arc<AtomicU32>>,
}

impl InterposedStore {
    pub(crate) fn new(incidents: impl IntoIterator<Item = Incident>) -> Self {
        InterposedStore::default().followed_by(incidents)
    }

    /// The same events, and these incidents from now on.
    pub(crate) fn followed_by(&self, incidents: impl IntoIterator<Item = Incident>) -> Self {
        let incidents = Arc::new(Mutex::new(incidents.into_iter().collect()));
        InterposedStore { inner: self.inner.clone(), incidents, restless: None }
    }

    /// The same store, which returns from each wait at once; looks at its events are counted in `looks`.
    pub(crate) fn restless(self, looks: &Arc<AtomicU32>) -> Self {
        InterposedStore { restless: Some(Arc::clone(looks)), ..self }
    }

    /// Whether everything has happened that was to happen.
    pub(crate) fn is_spent(&self) -> bool {
        self.incidents.lock().unwrap().is_empty()
    }
}

#[async_trait]
impl EventStore for InterposedStore {
    async fn append(&self, append: Append) -> Result<Appended> {
        yield_now().await;
        let incident = self.incidents.lock().unwrap().pop_front();
        let lost = || Error::new(ErrorKind::Unknown, "appending: the connection was lost");
        match incident {
            None => self.inner.append(append).await,
            Some(Incident::Overtaken(other)) => {
                self.inner.append(other).await?;
                self.inner.append(append).await
            }
            Some(Incident::AnswerLost) => {
                self.inner.append(append).await?;
                Err(lost())
            }
            Some(Incident::Vanished) => Err(lost()),
            Some(Incident::Down) => Err(Error::new(ErrorKind::Store, "appending: no connection")),
        }
    }

    fn capabilities(&self) -> StoreCapabilities {
        self.inner.capabilities()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn read_stream(&self, stream: &StreamId, read: ReadStream) -> Result<Vec<StoredEvent>> {
        yield_now().await;
        self.inner.read_stream(stream, read).await
    }

    async fn find_event(&self, stream: &StreamId, event_id: &Id) -> Result<Option<StoredEvent>> {
        self.inner.find_event(stream, event_id).await
    }

    async fn read_all(&self, after: &Position, filter: &Filter, limit: usize) -> Result<Page> {
        if let Some(looks) = &self.restless {
            looks.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.read_all(after, filter, limit).await
    }

    async fn end(&self) -> Result<Position> {
        self.inner.end().await
    }

    async fn wait(&self, after: &Position, at_most: Duration) -> Result<()> {
        match self.restless {
            Some(_) => Ok(()),
            None => self.inner.wait(after, at_most).await,
        }
    }

    async fn stream_info(&self, stream: &StreamId) -> Result<Option<StreamInfo>> {
        self.inner.stream_info(stream).await
    }

    async fn list_streams(&self, list: &ListStreams) -> Result<Vec<StreamInfo>> {
        self.inner.list_streams(list).await
    }

    async fn archive(&self, stream: &StreamId) -> Result<()> {
        self.inner.archive(stream).await
    }

    async fn restore(&self, stream: &StreamId) -> Result<()> {
        self.inner.restore(stream).await
    }

    async fn end_stream(&self, stream: &StreamId, expected: Expected) -> Result<()> {
        self.inner.end_stream(stream, expected).await
    }

    fn snapshots(&self) -> Option<&dyn SnapshotStore> {
        self.inner.snapshots()
    }
}
