//! The event store of sourced orders: which one is a URL, and everything else is the same on each.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jitney::outbox::{MemoryOutbox, OutboxStore};
use jitney::personal::Sealer;
use jitney::prelude::*;
use jitney::sourcing::{EventStore, Filter, MemoryStore};
use jitney::{Env, Error, ErrorKind};

use super::book::OrderBook;
use super::carry::{Carrier, Way};
use super::order::OrderEvent;
#[cfg(feature = "privacy")]
use super::phone_list::PhoneList;

/// What is said where a store is asked for and none is named, or one that there is not.
pub const STORES: &str = "`--store memory`, `--store sqlite://orders.db` (with `--features sqlite`), `--store \
                          postgres://localhost/orders` (with `--features postgres`) or `--store kafka://localhost:9092` \
                          (with `--features kafka`)";

/// What seals a store.
pub type Sealed = Arc<dyn Sealer>;

/// A store, and how its events come to the bus.
#[derive(Clone)]
pub struct Store {
    pub events: Arc<dyn EventStore>,
    /// A read model in the same database; none in memory, and none on Kafka.
    pub book: Option<Arc<dyn OrderBook>>,
    /// Another one, likewise.
    #[cfg(feature = "privacy")]
    pub phones: Option<Arc<dyn PhoneList>>,
    way: Way,
}

impl Store {
    /// Opens the store at `url`, and makes it where there is none. `sealer` seals what is personal.
    ///
    /// # Errors
    ///
    /// Of kind `Config` where there is no such store, or it is not compiled in; or what the store answers.
    pub async fn open(url: &str, sealer: Option<Sealed>) -> jitney::Result<Self> {
        let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
        match scheme {
            "memory" => Ok(Store::in_memory(&Env::system(), sealer)),
            #[cfg(feature = "sqlite")]
            "sqlite" => {
                let mut builder = jitney::sql::SqliteStore::builder(url).outbox(published());
                if let Some(sealer) = sealer {
                    builder = builder.sealed_by(sealer);
                }
                let store = builder.open().await?;
                let outbox = jitney::sql::SqliteOutbox::of(&store);
                let model = jitney::sql::SqliteReadModel::of(&store);
                Ok(Store::of(store, outbox).with_read_models(model))
            }
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                let mut builder = jitney::sql::PostgresStore::builder(url).outbox(published());
                if let Some(sealer) = sealer {
                    builder = builder.sealed_by(sealer);
                }
                let store = builder.connect().await?;
                let outbox = jitney::sql::PostgresOutbox::of(&store);
                let model = jitney::sql::PostgresReadModel::of(&store);
                Ok(Store::of(store, outbox).with_read_models(model))
            }
            #[cfg(feature = "kafka")]
            "kafka" => super::kafka_store::open(url, true, sealer).await,
            #[cfg(not(feature = "kafka"))]
            "kafka" => Err(wrong("opening the store: Kafka is not compiled in; add `--features kafka`")),
            #[cfg(not(feature = "sqlite"))]
            "sqlite" => Err(wrong("opening the store: SQLite is not compiled in; add `--features sqlite`")),
            #[cfg(not(feature = "postgres"))]
            "postgres" | "postgresql" => {
                Err(wrong("opening the store: PostgreSQL is not compiled in; add `--features postgres`"))
            }
            // Not the whole URL: it may have a password in it.
            _ => Err(wrong(format!("opening the store: there is none for `{scheme}`; there are {STORES}"))),
        }
    }

    /// Opens the store at `url`, where there is one.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); and where there is none.
    pub async fn open_existing(url: &str, sealer: Option<Sealed>) -> jitney::Result<Self> {
        match url.split_once(':').map_or(url, |(scheme, _)| scheme) {
            "memory" => {
                let what = "opening the store: one in memory has ended with the run that made it; name a file or a database";
                Err(wrong(what))
            }
            "sqlite" => match url.trim_start_matches("sqlite:").trim_start_matches("//") {
                path if !path.contains('?') && !Path::new(path).exists() => {
                    Err(wrong(format!("opening the store: there is no file `{path}`; a run makes it")))
                }
                _ => Store::open(url, sealer).await,
            },
            #[cfg(feature = "kafka")]
            "kafka" => super::kafka_store::open(url, false, sealer).await,
            _ => Store::open(url, sealer).await,
        }
    }

    /// A store that ends with this process.
    pub fn in_memory(env: &Env, sealer: Option<Sealed>) -> Self {
        let outbox = MemoryOutbox::with_env(env.clone());
        let mut store = MemoryStore::with_env(env.clone()).with_outbox(outbox.clone(), published());
        if let Some(sealer) = sealer {
            store = store.sealed_by(sealer);
        }
        Store::of(store, outbox)
    }

    /// A store with its outbox: what is appended is in both, or in neither.
    fn of(events: impl EventStore, outbox: impl OutboxStore + Clone) -> Self {
        Store { way: Way::through(outbox), ..Store::alone(events) }
    }

    #[cfg(all(feature = "privacy", any(feature = "postgres", feature = "sqlite")))]
    fn with_read_models(self, model: impl OrderBook + PhoneList + Clone + 'static) -> Self {
        Store { book: Some(Arc::new(model.clone())), phones: Some(Arc::new(model)), ..self }
    }

    #[cfg(all(not(feature = "privacy"), any(feature = "postgres", feature = "sqlite")))]
    fn with_read_models(self, model: impl OrderBook + 'static) -> Self {
        Store { book: Some(Arc::new(model)), ..self }
    }

    /// A store that is in no transaction with anything else.
    pub fn alone(events: impl EventStore) -> Self {
        Store {
            events: Arc::new(events),
            book: None,
            #[cfg(feature = "privacy")]
            phones: None,
            way: Way::Read,
        }
    }

    /// Begins to carry what is new to `bus`. A process that was killed holds its part of an outbox for `lease`.
    ///
    /// # Errors
    ///
    /// As [`Way::start`].
    pub async fn carry(&self, bus: &Bus, lease: Duration) -> jitney::Result<Carrier> {
        self.way.start(&self.events, bus, lease).await
    }
}

/// Everything that happens to an order goes to the bus too.
fn published() -> Filter {
    Filter::of::<OrderEvent>()
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, what)
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.events.describe())
    }
}
