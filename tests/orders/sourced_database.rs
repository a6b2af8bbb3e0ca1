//! A database for one test, with an event store in it.

#[cfg(feature = "postgres")]
use jitney::sql::sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};
use std::path::PathBuf;

use jitney::Env;
use jitney::sourcing::{EventStore, Filter, ListStreams, Position};

use crate::orders::store::Store;

/// The database; a file goes with it, one on the server stays with the server.
pub struct Database {
    url: String,
    folder: Option<PathBuf>,
}

impl Database {
    /// A file that does not exist yet.
    #[cfg(feature = "sqlite")]
    pub fn sqlite() -> Self {
        let folder = std::env::temp_dir().join(format!("jitney-orders-store-{}", Env::system().new_id()));
        std::fs::create_dir_all(&folder).unwrap();
        Database { url: format!("sqlite://{}", folder.join("orders.db").display()), folder: Some(folder) }
    }

    #[cfg(feature = "postgres")]
    pub async fn postgres() -> Self {
        let server = jitney_test_servers::postgres_url().unwrap_or_else(|error| panic!("{error}"));
        let name = format!("orders_{:016x}", Env::system().random());
        let mut connection = PgConnection::connect(&server).await.unwrap();
        raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        let (address, _) = server.rsplit_once('/').unwrap();
        Database { url: format!("{address}/{name}"), folder: None }
    }

    /// A store of its own on the broker.
    #[cfg(feature = "kafka")]
    pub fn kafka() -> Self {
        let server = jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}"));
        let name = format!("orders-{:016x}", Env::system().random());
        Database { url: format!("{}/{name}?partitions=2", server.trim_end_matches('/')), folder: None }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether anybody has made the file.
    pub fn exists(&self) -> bool {
        self.folder.as_ref().is_some_and(|folder| folder.join("orders.db").exists())
    }

    /// The store, as another process opens it.
    pub async fn store(&self) -> Store {
        Store::open(&self.url, None).await.unwrap()
    }

    /// Where the newest event is.
    pub async fn end(&self) -> Position {
        self.store().await.events.end().await.unwrap()
    }

    /// How many orders there are.
    pub async fn orders(&self) -> usize {
        self.store().await.events.list_streams(&ListStreams::of("Order")).await.unwrap().len()
    }
}

/// Whether `store` has so many events at least.
pub async fn has_events(store: &dyn EventStore, events: usize) -> bool {
    store.read_all(&Position::START, &Filter::all(), events).await.unwrap().events.len() >= events
}

impl Drop for Database {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's directory for such files.
        let _ = self.folder.as_ref().map(std::fs::remove_dir_all);
    }
}
