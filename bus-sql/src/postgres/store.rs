//! The store as such.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::personal::Sealer;
use jitney_core::{Env, Id};
use jitney_sourcing::{
    Append, Appended, Error, EventStore, Expected, Filter, ListStreams, Page, Position, ReadStream, Sealing,
    SnapshotStore, StoreCapabilities, StoredEvent, StreamId, StreamInfo, StreamState, StreamsPerAppend,
    TransactionalStore,
};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::sync::watch;

use super::append::Beside;
use super::config::PostgresStoreBuilder;
use super::error::{Effect, failed};
use super::inline::Inline;
use super::notify::News;
use super::schema::Schema;
use super::watermark::{self, Behind, Watermark};
use super::{append, read, row, streams};

/// How long a reader waits before it looks again for what is held back; each further time twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// The longest time between two such looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Keeps events in PostgreSQL; clones share the connections.
///
/// ```no_run
/// use jitney_sourcing::{EventStore, Filter, Position};
/// use jitney_sql::PostgresStore;
///
/// # async fn example() -> Result<(), jitney_sourcing::Error> {
/// let store = PostgresStore::connect("postgres://localhost/orders").await?;
/// let page = store.read_all(&Position::START, &Filter::all(), 100).await?;
/// println!("{} events", page.events.len());
/// # Ok(()) }
/// ```
///
/// A reader of all events waits for the oldest transaction of the whole cluster of databases. [`watermark`](Self::watermark) says
/// which one that is; the gauge `jitney_store_held_back` has the number of events behind it, as of the last
/// [`watermark`](Self::watermark) or the last [`wait`](EventStore::wait) of a reader.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
    sealing: Sealing,
}

#[derive(Debug)]
struct Inner {
    env: Env,
    pool: PgPool,
    schema: Schema,
    outbox: Option<Filter>,
    inline: Inline,
    description: String,
    news: News,
}

impl PostgresStore {
    /// The store in schema `jitney` of the database at `url`: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    ///
    /// # Errors
    ///
    /// As [`PostgresStoreBuilder::connect`].
    ///
    /// # Cancellation
    ///
    /// As [`PostgresStoreBuilder::connect`].
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::builder(url).connect().await
    }

    /// The store in schema `jitney` of the database of `pool`. See [`PostgresStoreBuilder::from_pool`].
    ///
    /// # Errors
    ///
    /// As [`PostgresStoreBuilder::connect`].
    ///
    /// # Cancellation
    ///
    /// As [`PostgresStoreBuilder::connect`].
    pub async fn from_pool(pool: PgPool) -> Result<Self, Error> {
        PostgresStoreBuilder::from_pool(pool).connect().await
    }

    /// Settings of a store in the database at `url`.
    pub fn builder(url: &str) -> PostgresStoreBuilder {
        PostgresStoreBuilder::from_url(url)
    }

    pub(super) fn new(env: Env, pool: PgPool, schema: Schema, outbox: Option<Filter>, place: &str) -> Self {
        let description = format!("the event store in schema `{}` of PostgreSQL at {place}", schema.name());
        let (inline, news) = (Inline::default(), News::new());
        let inner = Inner { env, pool, schema, outbox, inline, description, news };
        PostgresStore { inner: Arc::new(inner), sealing: Sealing::default() }
    }

    /// The same store, with the same connections. Has `sealer` seal the personal data of whatever goes into it, into its outbox, and into
    /// processes beside it, and open it for who reads. A store that was given none refuses events with personal data. Where it
    /// has inline projections, [`PostgresStoreBuilder::sealed_by`] is the one to call, for what they make of events that are there.
    ///
    /// Keys belong into a database of their own: so a copy of this one does not bring a forgotten key back.
    #[must_use]
    pub fn sealed_by(self, sealer: impl Sealer) -> Self {
        self.with_sealing(Sealing::by(sealer))
    }

    pub(super) fn with_sealing(self, sealing: Sealing) -> Self {
        PostgresStore { sealing, ..self }
    }

    pub(super) fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    /// Another store on the same connections, which keeps `inline` up.
    pub(super) fn with_inline(&self, inline: Inline) -> Self {
        let Inner { env, pool, schema, outbox, description, .. } = &*self.inner;
        let inner = Inner {
            env: env.clone(),
            pool: pool.clone(),
            schema: schema.clone(),
            outbox: outbox.clone(),
            inline,
            description: description.clone(),
            news: News::new(),
        };
        PostgresStore { inner: Arc::new(inner), sealing: self.sealing.clone() }
    }

    /// The connections, for transactions of the application's own.
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// What holds readers of all events back.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn watermark(&self) -> Result<Watermark, Error> {
        let mut connection = self.connection().await?;
        watermark::look(&mut connection, self.schema()).await
    }

    /// Lets waiting readers look for events at once. An append does so by itself; call it after the commit of a
    /// transaction with [`append_in`](TransactionalStore::append_in), or readers find the events when they next look.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn wake_readers(&self) {
        let Inner { env, pool, schema, news, .. } = &*self.inner;
        news.tell(env, pool, schema);
    }

    /// Closes the connections, also those of clones and of a pool that was given, when what they do is done.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves some of them open for a while.
    pub async fn close(&self) {
        self.inner.news.close();
        self.inner.pool.close().await;
    }

    pub(super) fn env(&self) -> &Env {
        &self.inner.env
    }

    pub(super) fn news(&self) -> &News {
        &self.inner.news
    }

    /// Hears of news from now on.
    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.inner.news.listen(&self.inner.env, &self.inner.pool, &self.inner.schema)
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.inner.schema
    }

    pub(super) async fn connection(&self) -> Result<PoolConnection<Postgres>, Error> {
        let acquired = self.inner.pool.acquire().await;
        acquired.map_err(|error| {
            failed(&format!("connecting to {}", self.inner.description), error, Effect::None)
        })
    }

    async fn set_state(
        &self,
        stream: &StreamId,
        expected: Expected,
        state: StreamState,
    ) -> Result<(), Error> {
        let mut connection = self.connection().await?;
        streams::set_state(&mut connection, self.schema(), stream, expected, state).await
    }
}

#[async_trait]
impl EventStore for PostgresStore {
    fn capabilities(&self) -> StoreCapabilities {
        let mut capabilities = StoreCapabilities::none("postgres");
        capabilities.durable = true;
        capabilities.one_order = true;
        capabilities.streams_per_append = StreamsPerAppend::Any;
        capabilities.snapshots = true;
        capabilities.correlations = true;
        capabilities
    }

    fn describe(&self) -> String {
        self.inner.description.clone()
    }

    async fn append(&self, append: Append) -> Result<Appended, Error> {
        let append = self.sealing.seal(append).await?;
        let mut connection = self.connection().await?;
        let Inner { schema, outbox, inline, .. } = &*self.inner;
        let beside = Beside { outbox: outbox.as_ref(), inline, sealing: &self.sealing };
        let (appended, events) = append::append(&mut connection, schema, beside, append).await?;
        drop(connection);
        self.wake_readers();
        inline.tell(&events).await;
        Ok(appended)
    }

    async fn read_stream(&self, stream: &StreamId, read: ReadStream) -> Result<Vec<StoredEvent>, Error> {
        let mut connection = self.connection().await?;
        let events = read::stream(&mut connection, self.schema(), stream, read).await?;
        // What opens may need a connection.
        drop(connection);
        self.sealing.open(events).await
    }

    async fn find_event(&self, stream: &StreamId, event_id: &Id) -> Result<Option<StoredEvent>, Error> {
        let mut connection = self.connection().await?;
        let event = read::find(&mut connection, self.schema(), stream, event_id).await?;
        drop(connection);
        self.sealing.open_found(event).await
    }

    async fn read_all(&self, after: &Position, filter: &Filter, limit: usize) -> Result<Page, Error> {
        let mut connection = self.connection().await?;
        let page = read::all(&mut connection, self.schema(), after, filter, limit).await?;
        drop(connection);
        self.sealing.open_page(page).await
    }

    async fn end(&self) -> Result<Position, Error> {
        let mut connection = self.connection().await?;
        read::end(&mut connection, self.schema()).await
    }

    async fn end_of_correlation(&self, correlation_id: &Id) -> Result<Option<Position>, Error> {
        let mut connection = self.connection().await?;
        read::end_of_correlation(&mut connection, self.schema(), correlation_id).await
    }

    async fn wait(&self, after: &Position, at_most: Duration) -> Result<(), Error> {
        let Inner { env, pool, schema, news, .. } = &*self.inner;
        let place = row::place(after)?;
        // Before the look at the tables: what comes behind it is heard.
        let mut heard = news.listen(env, pool, schema);
        let look = async || {
            let mut connection = self.connection().await?;
            Ok(watermark::behind(&mut connection, schema, place).await.ok())
        };
        let waiting = async {
            let mut pause = FIRST_PAUSE;
            loop {
                match look().await {
                    Ok(Some(Behind { is_readable: true, .. })) => return Ok(()),
                    // Nobody tells when what holds it back has ended.
                    Ok(Some(Behind { is_held_back: true, .. })) => {
                        let _ = env.timeout(pause, heard.changed()).await;
                        pause = LONGEST_PAUSE.min(2 * pause);
                    }
                    // Not answering is no news; who reads then learns why. The sender lives as long as this store.
                    Ok(_) => return heard.changed().await.or(Ok(())),
                    Err(error) if pool.is_closed() => return Err(error),
                    Err(_) => std::future::pending().await,
                }
            }
        };
        env.timeout(at_most, waiting).await.unwrap_or(Ok(()))
    }

    async fn stream_info(&self, stream: &StreamId) -> Result<Option<StreamInfo>, Error> {
        let mut connection = self.connection().await?;
        streams::info(&mut connection, self.schema(), stream).await
    }

    async fn list_streams(&self, list: &ListStreams) -> Result<Vec<StreamInfo>, Error> {
        let mut connection = self.connection().await?;
        streams::list(&mut connection, self.schema(), list).await
    }

    async fn archive(&self, stream: &StreamId) -> Result<(), Error> {
        self.set_state(stream, Expected::Exists, StreamState::Archived).await
    }

    async fn restore(&self, stream: &StreamId) -> Result<(), Error> {
        self.set_state(stream, Expected::Exists, StreamState::Open).await
    }

    async fn end_stream(&self, stream: &StreamId, expected: Expected) -> Result<(), Error> {
        self.set_state(stream, expected, StreamState::Ended).await
    }

    fn snapshots(&self) -> Option<&dyn SnapshotStore> {
        Some(self)
    }

    fn sealer(&self) -> Option<&dyn Sealer> {
        self.sealing.sealer()
    }
}

impl TransactionalStore for PostgresStore {
    type Connection = PgConnection;

    async fn append_in(&self, connection: &mut PgConnection, append: Append) -> Result<Appended, Error> {
        let append = self.sealing.seal(append).await?;
        let Inner { schema, outbox, inline, .. } = &*self.inner;
        let beside = Beside { outbox: outbox.as_ref(), inline, sealing: &self.sealing };
        append::append_in(connection, schema, beside, append).await
    }
}
