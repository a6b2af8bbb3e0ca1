//! The store in memory: for tests, and the one that the others are compared with.

mod inline;
mod log;
mod published;

use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::outbox::MemoryOutbox;
use jitney_core::personal::{Sealer, mention_of};
use jitney_core::{Env, Id};
use tokio::sync::watch;

pub(crate) use self::inline::{Appends, Applied, HeldUp, KeepUp, Key};
use self::log::Log;
use crate::projection::{KeptUp, MakeInline};
use crate::{
    Append, Appended, Error, ErrorKind, EventStore, Expected, Filter, ListStreams, MemoryReadModel, Page,
    Position, Projection, ReadStream, Sealing, SnapshotStore, StoreCapabilities, StoredEvent, StoredSnapshot,
    StreamId, StreamInfo, StreamState, StreamsPerAppend,
};

/// Keeps events in this process; clones share them.
///
/// ```
/// use jitney_sourcing::{EventStore, MemoryStore};
///
/// let store = MemoryStore::new();
/// assert!(!store.capabilities().durable);
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    env: Env,
    appends: Appends,
    length: watch::Sender<u64>,
    outbox: Option<(MemoryOutbox, Filter)>,
    inline: Vec<Arc<dyn KeepUp>>,
    sealing: Sealing,
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
        let (appends, length) = (Appends::default(), watch::Sender::new(0));
        MemoryStore { env, appends, length, outbox: None, inline: Vec::new(), sealing: Sealing::default() }
    }

    /// Has `sealer` seal the personal data of what is stored through this clone, and open it for who reads through it. To be called
    /// before [`inline`](Self::inline). A store that was given none refuses events with personal data.
    #[must_use]
    pub fn sealed_by(mut self, sealer: impl Sealer) -> Self {
        self.sealing = Sealing::by(sealer);
        self
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

    /// Applies `projection`, whose state is in `model`, in the same step as the events of each append: who reads it is never
    /// behind, and an event that it refuses is not stored. May be called for several projections, which are applied in the order
    /// of the calls.
    ///
    /// Where the store has events that it is for, they are handled first; where the read model has a lower version of it, a new
    /// one is made beside it. From then on a clone of the store that was not given it refuses to append. A
    /// [`Projector`](crate::Projector) is not to work on it; `Projector::rebuild` has it no longer inline.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// # use jitney_core::handler::HandlerError;
    /// # use jitney_sourcing::{Filter, Projecting, Projection, StoredEvent};
    /// # struct Counts;
    /// # impl Projection for Counts {
    /// #     type Connection = BTreeMap<String, u64>;
    /// #     fn name(&self) -> &str { "counts" }
    /// #     fn filter(&self) -> Filter { Filter::all() }
    /// #     async fn apply(&self, _: &StoredEvent, _: &mut Projecting<'_, BTreeMap<String, u64>>) -> Result<(), HandlerError> {
    /// #         Ok(())
    /// #     }
    /// # }
    /// use jitney_sourcing::{MemoryReadModel, MemoryStore};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let model = MemoryReadModel::new();
    /// let store = MemoryStore::new().inline(&model, Counts).await?;
    /// assert_eq!(model.read("counts", BTreeMap::len), Some(0));
    /// # Ok::<(), jitney_sourcing::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`MakeInline::make`]; of kind [`Config`](ErrorKind::Config) when a projection of the same name is inline in this store
    /// already.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, where there are events to be handled first.
    ///
    /// # Cancellation
    ///
    /// As [`MakeInline::make`].
    pub async fn inline<P>(
        mut self,
        model: &MemoryReadModel<P::Connection>,
        projection: P,
    ) -> Result<Self, Error>
    where
        P: Projection<Connection: Clone + Default + Sync + 'static>,
    {
        let name = projection.name();
        if self.inline.iter().any(|one| one.key().name == name) {
            let what = format!("opening a store: two inline projections are called `{name}`; rename one");
            return Err(Error::new(ErrorKind::Config, what));
        }
        let (model, make) = (model.beside(self.appends.clone()), MakeInline::new(projection));
        let made = make.make(Arc::new(self.clone()), model.clone(), self.env.clone()).await?;
        self.inline.push(Arc::new(KeptUp::new(model, made)));
        Ok(self)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.appends.log()
    }

    /// Stores events in the log, which is locked, and in the outbox.
    fn store(&self, log: &mut Log, append: Append) -> Result<(Appended, u64), Error> {
        if let Some((outbox, filter)) = &self.outbox {
            log.refuse(&append)?;
            let added = outbox.add_all(published::events(log, &append, filter));
            added.map_err(|error| {
                let what = "appending: putting the events into the outbox";
                Error::new(ErrorKind::Encode, what).with_source(error)
            })?;
        }
        Ok((log.append(append)?, log.len()))
    }

    /// Where something is inline, or about to be: what follows from the events is made beside what readers see, and both are
    /// there at once.
    async fn append_inline(&self, append: Append) -> Result<(Appended, u64, Vec<StoredEvent>), Error> {
        // Whoever has it is the only one that appends.
        let _turn = self.appends.turn.lock().await;
        let events = {
            let log = self.log();
            log.refuse(&append)?;
            log.preview(&append)
        };
        let events = self.sealing.open(events).await?;
        self.appends.check(&self.inline)?;
        let mut applied = Vec::with_capacity(self.inline.len());
        for projection in &self.inline {
            applied.extend(projection.apply(&events).await?);
        }
        let mut log = self.log();
        // A stream may have been closed meanwhile.
        let (appended, length) = self.store(&mut log, append)?;
        applied.into_iter().for_each(|applied| applied());
        Ok((appended, length, events))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MemoryStore { appends, outbox, inline, .. } = self;
        let inline: Vec<_> = inline.iter().map(|one| one.key()).collect();
        f.debug_struct("MemoryStore")
            .field("appends", appends)
            .field("outbox", outbox)
            .field("inline", &inline)
            .finish_non_exhaustive()
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
        let append = self.sealing.seal(append).await?;
        append.check()?;
        let plain = {
            let mut log = self.log();
            let is_plain = self.inline.is_empty() && log.inline.is_empty() && !log.is_held_up;
            if is_plain { Ok(self.store(&mut log, append)?) } else { Err(append) }
        };
        let (appended, length, events) = match plain {
            Ok((appended, length)) => (appended, length, Vec::new()),
            Err(append) => self.append_inline(append).await?,
        };
        // Two appends may come here in the other order; the length never goes back.
        self.length.send_if_modified(|known| length > std::mem::replace(known, length.max(*known)));
        for projection in &self.inline {
            projection.tell(&events).await;
        }
        Ok(appended)
    }

    async fn read_stream(&self, stream: &StreamId, read: ReadStream) -> Result<Vec<StoredEvent>, Error> {
        let events = self.log().read_stream(stream, read);
        self.sealing.open(events).await
    }

    async fn find_event(&self, stream: &StreamId, event_id: &Id) -> Result<Option<StoredEvent>, Error> {
        let event = self.log().find(stream, event_id).cloned();
        self.sealing.open_found(event).await
    }

    async fn read_all(&self, after: &Position, filter: &Filter, limit: usize) -> Result<Page, Error> {
        let page = self.log().read_all(after, filter, limit)?;
        self.sealing.open_page(page).await
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

    fn sealer(&self) -> Option<&dyn Sealer> {
        self.sealing.sealer()
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

    async fn delete_snapshots_of(&self, subject: &str) -> Result<u64, Error> {
        Ok(self.log().delete_snapshots(&mention_of(subject)))
    }
}
