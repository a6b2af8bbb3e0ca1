//! The store itself: one connection that writes, and several that read.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::personal::Sealer;
use jitney_core::{Env, Id};
use jitney_sourcing::{
    Append, Appended, Error, ErrorKind, EventStore, Expected, Filter, ListStreams, Page, Position,
    ReadStream, Sealing, SnapshotStore, StoreCapabilities, StoredEvent, StreamId, StreamInfo, StreamState,
    StreamsPerAppend, TransactionalStore,
};
use sqlx::pool::PoolConnection;
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool, Transaction};

use super::append::append_on;
use super::error::{commit_failed, failed};
use super::inline::Inline;
use super::notify::News;
use super::{SqliteStoreBuilder, read, streams};

/// Keeps events in a SQLite database; clones share its connections.
///
/// An append that was answered survives a crash of the process and of the machine. Other processes may use the file too.
///
/// ```no_run
/// use jitney_sql::SqliteStore;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = SqliteStore::open("counters.db").await?;
///
/// // What the application writes here is committed together with its appends, or not at all.
/// let mut transaction = store.begin().await?;
/// jitney_sql::sqlx::query("CREATE TABLE visits (page TEXT PRIMARY KEY)").execute(&mut *transaction).await?;
/// transaction.commit().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    news: Arc<News>,
    place: Arc<str>,
    outbox: Option<Arc<Filter>>,
    inline: Arc<Inline>,
    sealing: Sealing,
    env: Env,
    durable: bool,
}

impl SqliteStore {
    /// Opens the database at a path (`counters.db`) or a URL (`sqlite://counters.db`, `sqlite::memory:`), which is created
    /// where there is none. With `?mode=rw` behind a URL it has to exist.
    ///
    /// # Errors
    ///
    /// As [`SqliteStoreBuilder::open`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves a database that opens.
    pub async fn open(database: &str) -> Result<Self, Error> {
        SqliteStore::builder(database).open().await
    }

    /// A store of its own in memory, which goes with its last clone. It has one connection: while a transaction of
    /// [`begin`](Self::begin) is open, everything else waits.
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    ///
    /// # Cancellation
    ///
    /// Nothing is left when the future is dropped.
    pub async fn in_memory() -> Result<Self, Error> {
        SqliteStore::open("sqlite::memory:").await
    }

    /// The set-up of a store at a path or a URL, as [`open`](Self::open) takes them.
    pub fn builder(database: &str) -> SqliteStoreBuilder {
        SqliteStoreBuilder::new(database)
    }

    /// Uses the application's own pool for reading and writing, and brings the schema up to date.
    ///
    /// How durable an append is, and how long a writer waits for others, is what the pool's options say: set
    /// `journal_mode` to WAL, `synchronous` to full, and a `busy_timeout`. Where the pool has several connections, its
    /// appends wait for each other as those of several processes do.
    ///
    /// # Errors
    ///
    /// As [`SqliteStoreBuilder::open`], but for paths.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves a database that opens.
    pub async fn from_pool(pool: SqlitePool) -> Result<Self, Error> {
        SqliteStore::builder("").use_pool(pool).await
    }

    pub(super) fn new(
        writer: SqlitePool,
        readers: SqlitePool,
        place: String,
        durable: bool,
        outbox: Option<Filter>,
        poll: Duration,
        env: Env,
    ) -> Self {
        let news = Arc::new(News::new(poll, env.clone()));
        let (place, outbox) = (place.into(), outbox.map(Arc::new));
        let (inline, sealing) = (Arc::default(), Sealing::default());
        SqliteStore { writer, readers, news, place, outbox, inline, sealing, env, durable }
    }

    /// The same store, which keeps `inline` up.
    pub(super) fn with_inline(self, inline: Inline) -> Self {
        SqliteStore { inline: Arc::new(inline), ..self }
    }

    /// The same store, with the same connections. Has `sealer` seal the personal data of whatever goes into it, into its outbox, and into
    /// processes beside it, and open it for who reads. A store that was given none refuses events with personal data. Where it
    /// has inline projections, [`SqliteStoreBuilder::sealed_by`] is the one to call, for what they make of events that are there.
    ///
    /// Keys belong into a database of their own: so a copy of this one does not bring a forgotten key back, and a new key can be
    /// stored while a transaction is open here.
    #[must_use]
    pub fn sealed_by(self, sealer: impl Sealer) -> Self {
        self.with_sealing(Sealing::by(sealer))
    }

    pub(super) fn with_sealing(self, sealing: Sealing) -> Self {
        SqliteStore { sealing, ..self }
    }

    pub(super) fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    /// What its appends keep up.
    pub(super) fn inline(&self) -> &Inline {
        &self.inline
    }

    /// Begins a transaction on the writing connection: the turn to write is this transaction's until it ends. Appends are
    /// made in it by [`append_in`](TransactionalStore::append_in).
    ///
    /// # Errors
    ///
    /// Of kind [`Store`](ErrorKind::Store), retryable, when others have been writing for longer than the busy time-out.
    ///
    /// # Cancellation
    ///
    /// Nothing is left when the future is dropped.
    pub async fn begin(&self) -> Result<Transaction<'static, Sqlite>, Error> {
        // The lock is taken first: who reads first may find that it cannot write what it has decided.
        let begun = self.writer.begin_with("BEGIN IMMEDIATE").await;
        begun.map_err(|error| self.failed("beginning to write", error))
    }

    /// The connections that read, for queries of the application's own. They refuse to write, but for a store in memory and
    /// one made [from a pool](Self::from_pool).
    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Tells readers that wait through this store, or a clone of it, to look for events now: to be called behind the commit of
    /// a transaction that [`append_in`](TransactionalStore::append_in) was used in. They look by themselves a little later.
    pub fn wake_readers(&self) {
        self.news.look_now();
    }

    /// Closes all connections, and gives the file what is in its log where no other process has it open. Calls that come
    /// later fail with [`Closed`](ErrorKind::Closed).
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves connections to be closed when they are dropped.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// What goes into the outbox too, where there is one.
    pub(super) fn outbox(&self) -> Option<&Filter> {
        self.outbox.as_deref()
    }

    pub(super) fn env(&self) -> &Env {
        &self.env
    }

    pub(super) fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>, Error> {
        self.readers.acquire().await.map_err(|error| self.failed("beginning to read", error))
    }

    /// Whether it outlives this process.
    pub(super) fn is_durable(&self) -> bool {
        self.durable
    }

    /// What it is and where, for messages.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The error of `doing` something, before a commit.
    pub(super) fn failed(&self, doing: &str, error: sqlx::Error) -> Error {
        failed(&self.place, doing, error)
    }
}

#[async_trait]
impl EventStore for SqliteStore {
    fn capabilities(&self) -> StoreCapabilities {
        let mut capabilities = StoreCapabilities::none("sqlite");
        capabilities.durable = self.durable;
        capabilities.one_order = true;
        capabilities.streams_per_append = StreamsPerAppend::Any;
        capabilities.snapshots = true;
        capabilities.correlations = true;
        capabilities
    }

    fn describe(&self) -> String {
        format!("the event store in {}", self.place)
    }

    async fn append(&self, append: Append) -> Result<Appended, Error> {
        let append = self.sealing.seal(append).await?;
        append.check()?;
        let mut transaction = self.begin().await?;
        let (appended, events) = append_on(self, &mut transaction, append).await?;
        let committed = transaction.commit().await;
        committed.map_err(|error| commit_failed(&self.place, "appending", error))?;
        self.news.tell(read::number(&appended.position)?);
        self.inline.tell(&events).await;
        Ok(appended)
    }

    async fn read_stream(&self, stream: &StreamId, read: ReadStream) -> Result<Vec<StoredEvent>, Error> {
        self.sealing.open(read::read_stream(self, stream, read).await?).await
    }

    async fn find_event(&self, stream: &StreamId, event_id: &Id) -> Result<Option<StoredEvent>, Error> {
        self.sealing.open_found(read::find_event(self, stream, event_id).await?).await
    }

    async fn read_all(&self, after: &Position, filter: &Filter, limit: usize) -> Result<Page, Error> {
        let page = read::all(self, &mut *self.reader().await?, after, filter, limit).await?;
        // The connection has gone back: what opens may need one.
        self.sealing.open_page(page).await
    }

    async fn end(&self) -> Result<Position, Error> {
        Ok(Position::at([read::newest(self, &mut *self.reader().await?).await?]))
    }

    async fn end_of_correlation(&self, correlation_id: &Id) -> Result<Option<Position>, Error> {
        read::end_of_correlation(self, correlation_id).await
    }

    async fn wait(&self, after: &Position, at_most: Duration) -> Result<(), Error> {
        self.news.wait(self, read::number(after)?, at_most).await
    }

    async fn stream_info(&self, stream: &StreamId) -> Result<Option<StreamInfo>, Error> {
        streams::info(self, stream).await
    }

    async fn list_streams(&self, list: &ListStreams) -> Result<Vec<StreamInfo>, Error> {
        streams::list(self, list).await
    }

    async fn archive(&self, stream: &StreamId) -> Result<(), Error> {
        streams::set_state(self, stream, Expected::Exists, StreamState::Archived).await
    }

    async fn restore(&self, stream: &StreamId) -> Result<(), Error> {
        streams::set_state(self, stream, Expected::Exists, StreamState::Open).await
    }

    async fn end_stream(&self, stream: &StreamId, expected: Expected) -> Result<(), Error> {
        streams::set_state(self, stream, expected, StreamState::Ended).await
    }

    fn snapshots(&self) -> Option<&dyn SnapshotStore> {
        Some(self)
    }

    fn sealer(&self) -> Option<&dyn Sealer> {
        self.sealing.sealer()
    }
}

impl TransactionalStore for SqliteStore {
    type Connection = SqliteConnection;

    /// Stores events when the caller's transaction is committed, all of them or none. Where it fails, the transaction is as
    /// it was before.
    ///
    /// Transactions of [`SqliteStore::begin`] are the ones to use. In others, which begin by reading, the append fails where
    /// another one has written since. Readers that wait are to be told by [`SqliteStore::wake_readers`], or find the events
    /// when they look next.
    ///
    /// # Errors
    ///
    /// As [`EventStore::append`]; of kind [`Invalid`](ErrorKind::Invalid) when no transaction of sqlx is open on the
    /// connection.
    async fn append_in(&self, connection: &mut SqliteConnection, append: Append) -> Result<Appended, Error> {
        let append = self.sealing.seal(append).await?;
        append.check()?;
        if !connection.is_in_transaction() {
            let what = "appending in a transaction: the connection has none open; begin one with `SqliteStore::begin`";
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        let failed = |error| self.failed("appending in a transaction", error);
        // A savepoint.
        let mut transaction = connection.begin().await.map_err(failed)?;
        let (appended, _) = append_on(self, &mut transaction, append).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(appended)
    }
}
