//! Servers, databases of them, and events.

use std::ops::Deref;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use jitney::DomainEvent;
use jitney::sourcing::{Append, EventStore, Expected, Filter, NewEvent, Position, StoredEvent, StreamId};
use jitney::sql::PostgresStore;
use jitney::sql::sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};
use jitney_core::Env;
use jitney_test_servers::ThrowAwayPostgres;
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;

/// The bound on every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

#[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Counter")]
pub(crate) enum Counted {
    Up { by: u64 },
    Down { by: u64 },
}

/// A server that nobody else holds up.
pub(crate) fn own_server(name: &str) -> ThrowAwayPostgres {
    ThrowAwayPostgres::start(name, PATIENCE).unwrap()
}

/// A database of the server that all tests share; its URL by dereferencing. Dropped with this.
pub(crate) struct Database {
    url: String,
}

pub(crate) async fn database() -> Database {
    let name = format!("test_{:016x}", Env::system().random());
    execute(&server_url(), &format!("CREATE DATABASE {name}")).await;
    let url = server_url();
    let (server, _) = url.rsplit_once('/').unwrap();
    Database { url: format!("{server}/{name}") }
}

fn server_url() -> String {
    jitney_test_servers::postgres_url().unwrap_or_else(|error| panic!("{error}"))
}

impl Deref for Database {
    type Target = str;

    fn deref(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (_, name) = self.url.rsplit_once('/').unwrap();
        let statement = format!("DROP DATABASE {name} WITH (FORCE)");
        let dropping = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&server_url(), &statement));
        });
        // A test that has failed says why by itself.
        let _ = dropping.join();
    }
}

/// A store in a database of its own.
pub(crate) struct OwnStore {
    store: PostgresStore,
    _database: Database,
}

impl Deref for OwnStore {
    type Target = PostgresStore;

    fn deref(&self) -> &PostgresStore {
        &self.store
    }
}

pub(crate) async fn store() -> OwnStore {
    let database = database().await;
    OwnStore { store: PostgresStore::connect(&database).await.unwrap(), _database: database }
}

pub(crate) async fn connection(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

pub(crate) async fn execute(url: &str, statements: &str) {
    let mut connection = connection(url).await;
    raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

pub(crate) fn stream(id: &str) -> StreamId {
    StreamId::new("Counter", id)
}

pub(crate) fn up(id: &str, by: u64) -> NewEvent {
    NewEvent::new(id.into(), Timestamp::from_second(7).unwrap(), &Counted::Up { by }).unwrap()
}

/// The events `ids` for the stream `name`.
pub(crate) fn append(name: &str, expected: Expected, ids: &[&str]) -> Append {
    Append::to(stream(name), expected, ids.iter().map(|id| up(id, 1)))
}

/// Appends the event `id`, wherever the stream `name` is.
pub(crate) async fn add(store: &PostgresStore, name: &str, id: &str) {
    store.append(append(name, Expected::Any, &[id])).await.unwrap();
}

/// Everything, once it can be read: tests of other databases on the server may hold it back for a moment.
pub(crate) async fn read_to_end(store: &PostgresStore) -> Vec<StoredEvent> {
    let end = store.end().await.unwrap();
    let reached = async || {
        let page = store.read_all(&Position::START, &Filter::all(), 10_000).await.unwrap();
        page.position.has_reached(&end)
    };
    until(reached).await;
    read(store, &Position::START).await
}

/// What can be read behind `after`.
pub(crate) async fn read(store: &PostgresStore, after: &Position) -> Vec<StoredEvent> {
    store.read_all(after, &Filter::all(), 10_000).await.unwrap().events
}

pub(crate) fn ids(events: &[StoredEvent]) -> Vec<String> {
    events.iter().map(|event| event.head().event_id.to_string()).collect()
}

/// Waits until `is_so` says so.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let env = Env::system();
    let asking = async {
        while !is_so().await {
            env.sleep(Duration::from_millis(10)).await;
        }
    };
    env.timeout(PATIENCE, asking).await.expect("it came true in time");
}
