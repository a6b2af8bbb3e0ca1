//! Where the database is, and how it is opened.

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use jitney_core::Env;
use jitney_core::personal::Sealer;
use jitney_sourcing::projection::MakeInline;
use jitney_sourcing::{Error, ErrorKind, Filter, Projection, Sealing};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};

use super::error::{failed, is_busy};
use super::inline::Inline;
use super::migrate::migrate;
use super::{SqliteReadModel, SqliteStore};
use crate::inline::made_inline;

/// How much of the write-ahead log is kept when it is empty, in bytes.
const LOG_BYTES: u32 = 64 << 20;

const IN_MEMORY: &str = "the SQLite database in memory";

fn in_file(path: &dyn Display) -> String {
    format!("the SQLite database `{path}`")
}

/// The set-up of a [`SqliteStore`]; made by [`SqliteStore::builder`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use jitney_sql::SqliteStore;
///
/// # async fn example() -> Result<(), jitney_sourcing::Error> {
/// let store = SqliteStore::builder("counters.db").readers(8).busy_timeout(Duration::from_secs(30)).open().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct SqliteStoreBuilder {
    database: String,
    readers: u32,
    busy_timeout: Duration,
    poll: Duration,
    outbox: Option<Filter>,
    inline: Vec<MakeInline<SqliteReadModel>>,
    sealing: Sealing,
    env: Env,
}

/// A database as it was named.
struct Database {
    options: SqliteConnectOptions,
    in_memory: bool,
    /// For messages.
    place: String,
}

impl SqliteStoreBuilder {
    pub(super) fn new(database: &str) -> Self {
        SqliteStoreBuilder {
            database: database.to_owned(),
            readers: 4,
            busy_timeout: Duration::from_secs(10),
            poll: Duration::from_millis(25),
            outbox: None,
            inline: Vec::new(),
            sealing: Sealing::default(),
            env: Env::system(),
        }
    }

    /// Reads with up to so many connections side by side, each a thread; 4 unless told, 1 at least. A store in memory has one
    /// connection for everything.
    pub fn readers(mut self, connections: u32) -> Self {
        self.readers = connections.max(1);
        self
    }

    /// Waits so long for other writers, of this process and of others, and for a free connection; 10 seconds unless told.
    pub fn busy_timeout(mut self, limit: Duration) -> Self {
        self.busy_timeout = limit;
        self
    }

    /// Looks so often for events of other processes while somebody waits for events; every 25 milliseconds unless told, every
    /// millisecond at most.
    pub fn poll_every(mut self, interval: Duration) -> Self {
        self.poll = interval.max(Duration::from_millis(1));
        self
    }

    /// Puts the events that `filter` is for into the outbox too, in the transaction that appends them. A
    /// [`Relay`](jitney_core::outbox::Relay) publishes them from there, under their ids and with their sequences.
    pub fn outbox(mut self, filter: Filter) -> Self {
        self.outbox = Some(filter);
        self
    }

    /// Applies `projection` in the transaction of each append,
    /// [`append_in`](jitney_sourcing::TransactionalStore::append_in) too: who reads it is never behind, and an event that
    /// it refuses is not stored. May be called for several projections, which are applied in the order of the calls.
    ///
    /// Where the store has events that it is for, or the database a lower version of it, opening makes it first, beside
    /// what readers see; that takes as long as a rebuild does. From then on a store that was not given it, in any process,
    /// refuses to append. A [`Projector`](jitney_sourcing::Projector) is not to work on it; `Projector::rebuild` has it no
    /// longer inline.
    pub fn inline(mut self, projection: impl Projection<Connection = SqliteConnection>) -> Self {
        self.inline.push(MakeInline::new(projection));
        self
    }

    /// Has `sealer` seal the personal data of whatever goes into the database, as [`SqliteStore::sealed_by`].
    pub fn sealed_by(mut self, sealer: impl Sealer) -> Self {
        self.sealing = Sealing::by(sealer);
        self
    }

    /// Waits by the clock of `env`.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// Opens the store: creates the file where there is none, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) when the URL or the path is wrong, the folder does not exist, or the file is
    /// read-only or no database; [`NewerSchema`](ErrorKind::NewerSchema) when a later version of this library has migrated
    /// it; [`Store`](ErrorKind::Store), retryable, when another process keeps it locked; and as [`MakeInline::make`] for an
    /// inline projection.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves a database that opens.
    pub async fn open(self) -> Result<SqliteStore, Error> {
        let Database { options, in_memory, place } = Database::named(&self.database)?;
        let options = options
            .foreign_keys(true)
            .busy_timeout(self.busy_timeout)
            // Where a plain fsync does not reach the disk itself (macOS).
            .pragma("fullfsync", "on")
            .pragma("checkpoint_fullfsync", "on")
            // A read model may have what somebody wants to have forgotten.
            .pragma("secure_delete", "on")
            .pragma("journal_size_limit", LOG_BYTES.to_string());
        let writing = match in_memory {
            true => options.clone(),
            false => {
                options.clone().journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full)
            }
        };
        let writer = self.connect(&writing, &place).await?;
        let readers = match in_memory {
            true => writer.clone(),
            false => self.pool(self.readers).connect_lazy_with(options.pragma("query_only", "on")),
        };
        let env = self.env.clone();
        let store = SqliteStore::new(writer, readers, place, !in_memory, self.outbox, self.poll, env);
        opened(store.with_sealing(self.sealing), &self.inline, &self.env).await
    }

    /// Uses `pool` for reading and writing, as it is set up, and brings the schema up to date.
    pub(super) async fn use_pool(self, pool: SqlitePool) -> Result<SqliteStore, Error> {
        let sql = "SELECT file FROM pragma_database_list WHERE name = 'main'";
        let path = sqlx::query_scalar::<_, Option<String>>(sql).fetch_one(&pool).await;
        let path = path.map_err(|error| failed("a pool", "opening the event store", error))?;
        // What is in memory has no path.
        let path = path.filter(|path| !path.is_empty());
        let durable = path.is_some();
        let place = path.map_or_else(|| IN_MEMORY.to_owned(), |path| in_file(&path));
        let env = self.env.clone();
        let store = SqliteStore::new(pool.clone(), pool, place, durable, self.outbox, self.poll, env);
        opened(store.with_sealing(self.sealing), &self.inline, &self.env).await
    }

    /// The one writing connection. A change to a write-ahead log does not wait for other processes by itself.
    async fn connect(&self, options: &SqliteConnectOptions, place: &str) -> Result<SqlitePool, Error> {
        let deadline = self.env.instant() + self.busy_timeout;
        loop {
            match self.pool(1).min_connections(1).connect_with(options.clone()).await {
                Ok(pool) => return Ok(pool),
                Err(error) if is_busy(&error) && self.env.instant() < deadline => {
                    self.env.sleep(self.env.random_up_to(Duration::from_millis(50))).await;
                }
                Err(error) => return Err(failed(place, "opening the event store", error)),
            }
        }
    }

    fn pool(&self, connections: u32) -> SqlitePoolOptions {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(self.busy_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            // What is still in a transaction here had a commit or a rollback that failed.
            .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
    }
}

/// Brings the schema up to date, and makes inline what is to be.
async fn opened(
    store: SqliteStore,
    inline: &[MakeInline<SqliteReadModel>],
    env: &Env,
) -> Result<SqliteStore, Error> {
    migrate(&store).await?;
    let inline = made_inline(inline, &store, SqliteReadModel::of(&store), env).await?;
    Ok(store.with_inline(Inline::of(inline)))
}

impl Database {
    fn named(database: &str) -> Result<Self, Error> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::Config, format!("opening the event store `{database}`: {what}"))
        };
        let url = match database {
            ":memory:" => "sqlite::memory:",
            other => other,
        };
        let path = url.strip_prefix("sqlite:");
        if path.is_none() && url.contains("://") {
            return Err(wrong("that is no URL of SQLite; write a path, or `sqlite://` and a path"));
        }
        let options = match path {
            Some(_) => SqliteConnectOptions::from_str(url).map_err(|error| {
                wrong("the URL cannot be read; write `sqlite://` and a path").with_source(error)
            })?,
            None => SqliteConnectOptions::new().filename(url),
        };
        let query = path.and_then(|path| path.split_once('?')).map_or("", |(_, query)| query);
        if query.split('&').any(|pair| pair == "mode=ro" || pair.starts_with("immutable=")) {
            return Err(wrong("a store writes; leave `mode=ro` and `immutable` out"));
        }
        let in_memory = path.is_some_and(|path| path.trim_start_matches("//").starts_with(":memory:"))
            || query.split('&').any(|pair| pair == "mode=memory");
        if in_memory {
            return Ok(Database { options, in_memory, place: IN_MEMORY.to_owned() });
        }
        check(options.get_filename()).map_err(|what| wrong(&what))?;
        let place = in_file(&options.get_filename().display());
        let options = options.create_if_missing(query.split('&').all(|pair| pair != "mode=rw"));
        Ok(Database { options, in_memory, place })
    }
}

/// Says what is wrong with a path, where SQLite would only say that it cannot open it.
fn check(path: &Path) -> Result<(), String> {
    if path.as_os_str().is_empty() {
        return Err("the path is empty; name a file".to_owned());
    }
    if path.is_dir() {
        return Err("that is a folder; name a file in it".to_owned());
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        return Err(format!("the folder `{}` does not exist; create it first", folder.display()));
    }
    match path.metadata() {
        Ok(metadata) if metadata.permissions().readonly() => {
            Err("the file is read-only; make it writable, or choose another path".to_owned())
        }
        _ => Ok(()),
    }
}
