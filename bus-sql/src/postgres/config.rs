//! How a store is connected.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jitney_core::Env;
use jitney_core::personal::Sealer;
use jitney_sourcing::projection::MakeInline;
use jitney_sourcing::{Error, ErrorKind, Filter, Projection, Sealing};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

use super::error::{Effect, failed};
use super::inline::Inline;
use super::projection::PostgresReadModel;
use super::schema::Schema;
use super::store::PostgresStore;
use super::{epoch, migrate};
use crate::inline::made_inline;

/// How many connections are beside those of a store, and how long is waited for one of them.
#[cfg(feature = "privacy")]
const BESIDE: u32 = 4;
#[cfg(feature = "privacy")]
const BESIDE_WITHIN: Duration = Duration::from_secs(10);

/// A connection that was idle for longer is tried before it is used: the server may be another one by now.
const TRUSTED: Duration = Duration::from_secs(1);

/// Settings of a [`PostgresStore`]; made by [`PostgresStore::builder`] or [`PostgresStoreBuilder::from_pool`].
#[must_use = "a builder does nothing until it is connected"]
pub struct PostgresStoreBuilder {
    source: Source,
    schema: String,
    outbox: Option<Filter>,
    inline: Vec<MakeInline<PostgresReadModel>>,
    sealing: Sealing,
    max_connections: u32,
    acquire_timeout: Duration,
    env: Env,
}

enum Source {
    Url(String),
    Pool(PgPool),
}

impl PostgresStoreBuilder {
    pub(super) fn from_url(url: &str) -> Self {
        Self::new(Source::Url(url.to_owned()))
    }

    /// A store on connections of the application's own pool. One more is opened for notifications.
    ///
    /// After a database was restored from a dump, a store has to be connected anew before anything is appended through the
    /// pool; a store with a pool of its own sees to that by itself.
    pub fn from_pool(pool: PgPool) -> Self {
        Self::new(Source::Pool(pool))
    }

    fn new(source: Source) -> Self {
        PostgresStoreBuilder {
            source,
            schema: Schema::DEFAULT.to_owned(),
            outbox: None,
            inline: Vec::new(),
            sealing: Sealing::default(),
            max_connections: 24,
            acquire_timeout: Duration::from_secs(30),
            env: Env::system(),
        }
    }

    /// The schema that the tables are in; `jitney` unless told. It is created where it is missing. Up to 63 small
    /// letters, digits and `_`.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
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
    pub fn inline(mut self, projection: impl Projection<Connection = PgConnection>) -> Self {
        self.inline.push(MakeInline::new(projection));
        self
    }

    /// The most connections of the store's own pool, from 1; 24 unless told, which is more than a group handles events at once
    /// unless told. One more is opened for notifications. A server allows 100 unless told.
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// How long to wait for a free connection of the store's own pool; 30 seconds unless told.
    pub fn acquire_timeout(mut self, limit: Duration) -> Self {
        self.acquire_timeout = limit;
        self
    }

    /// Has `sealer` seal the personal data of whatever goes into the schema, as [`PostgresStore::sealed_by`].
    pub fn sealed_by(mut self, sealer: impl Sealer) -> Self {
        self.sealing = Sealing::by(sealer);
        self
    }

    /// The clock that waiting goes by.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// Connects, and creates the tables or brings them up to date where that is needed; several processes may do so at
    /// once.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) when URL, schema name or permissions are wrong,
    /// [`NewerSchema`](ErrorKind::NewerSchema) when the tables are of a later version of this library,
    /// [`Store`](ErrorKind::Store) when the server cannot be reached; and as [`MakeInline::make`] for an inline projection.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the tables as they were, or up to date.
    pub async fn connect(self) -> Result<PostgresStore, Error> {
        let schema = Schema::new(&self.schema)?;
        let pool = match self.source {
            Source::Pool(pool) => {
                let place = place(&pool.connect_options());
                let acquired = pool.acquire().await;
                let mut connection = acquired.map_err(|error| unreachable(&place, error))?;
                migrate::migrate(&mut connection, &schema).await?;
                drop(connection);
                pool
            }
            Source::Url(url) => {
                let options = options(&url)?;
                let connected = PgConnection::connect_with(&options).await;
                let mut connection = connected.map_err(|error| unreachable(&place(&options), error))?;
                migrate::migrate(&mut connection, &schema).await?;
                // It is of no further use, whatever its end was.
                let _ = connection.close().await;
                let settings = PgPoolOptions::new()
                    .max_connections(self.max_connections)
                    .acquire_timeout(self.acquire_timeout);
                careful(settings, &schema).connect_lazy_with(options)
            }
        };
        let place = place(&pool.connect_options());
        let store = PostgresStore::new(self.env.clone(), pool, schema, self.outbox, &place);
        let store = store.with_sealing(self.sealing);
        if self.inline.is_empty() {
            return Ok(store);
        }
        let inline = made_inline(&self.inline, &store, PostgresReadModel::of(&store), &self.env).await?;
        Ok(store.with_inline(Inline::of(inline)))
    }
}

/// The same database by a few connections of its own, made when they are needed: for what is asked while those of `store` wait for the answer.
///
/// # Panics
///
/// Outside a tokio runtime.
#[cfg(feature = "privacy")]
pub(super) fn beside(store: &PostgresStore) -> PostgresStore {
    let (options, schema) = ((*store.pool().connect_options()).clone(), store.schema().clone());
    let settings = PgPoolOptions::new().max_connections(BESIDE).acquire_timeout(BESIDE_WITHIN);
    let (place, pool) = (place(&options), careful(settings, &schema).connect_lazy_with(options));
    PostgresStore::new(store.env().clone(), pool, schema, None, &place)
}

/// A pool whose connections are tried only after a rest, and which looks at the epoch wherever it connects: the server behind
/// an address may have been replaced by one with the restored database.
fn careful(settings: PgPoolOptions, schema: &Schema) -> PgPoolOptions {
    let schema = Arc::new(schema.clone());
    settings
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                let is_trusted = about.idle_for < TRUSTED;
                Ok(is_trusted || connection.ping().await.is_ok())
            })
        })
        .after_connect(move |connection, _| {
            let schema = Arc::clone(&schema);
            Box::pin(async move { epoch::ensure(connection, &schema).await })
        })
}

fn options(url: &str) -> Result<PgConnectOptions, Error> {
    let is_ours = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
    if !is_ours {
        let what = "connecting to an event store: the URL is not of the form `postgres://USER:PASSWORD@HOST:PORT/DATABASE`";
        return Err(Error::new(ErrorKind::Config, what));
    }
    let options = PgConnectOptions::from_str(url);
    let options =
        options.map_err(|error| failed("reading the URL of an event store", error, Effect::None))?;
    Ok(match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("jitney"),
    })
}

/// Where it is, without credentials.
fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or(options.get_username());
    format!("{}:{}/{database}", options.get_host(), options.get_port())
}

fn unreachable(place: &str, error: sqlx::Error) -> Error {
    failed(&format!("connecting to PostgreSQL at {place}"), error, Effect::None)
}

impl fmt::Debug for PostgresStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL has a password in it.
        f.debug_struct("PostgresStoreBuilder").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_no_credentials() {
        let options = options("postgres://user:secret@one:5433/orders").unwrap();
        assert_eq!(place(&options), "one:5433/orders");
        let builder = PostgresStore::builder("postgres://user:secret@one/orders");
        assert!(!format!("{builder:?}").contains("secret"));
    }

    #[test]
    fn another_scheme_or_a_bad_port_is_refused_without_showing_the_url() {
        for url in ["mysql://user:secret@one/orders", "postgres://user:secret@one:port/orders"] {
            let error = options(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }
}
