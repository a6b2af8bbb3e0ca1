//! The stores of these tests.

use std::sync::Arc;

use jitney::codec::{Codec, NativeJson};
use jitney::outbox::{OutboxStore, SHARDS, Shard};
use jitney::sourcing::process::{MemoryProcessStore, ProcessManager, ProcessRunner, ProcessStore};
use jitney::sourcing::{Append, EventStore, Expected, MemoryStore, NewEvent, Position, StreamId};
use jitney::sql::sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};
use jitney::sql::{PostgresOutbox, PostgresProcessStore, PostgresStore};
use jitney::sql::{SqliteOutbox, SqliteProcessStore, SqliteStore};
use jitney::{Env, Head, Id, Keyed};

use crate::folder::Folder;

/// A database with events, processes and an outbox.
pub(crate) trait Backend: Sized + Sync {
    type Processes: ProcessStore + Clone;

    async fn new() -> Self;

    /// The processes, through connections of their own, as another program would open them.
    async fn open(&self) -> Self::Processes;

    fn events(&self) -> Arc<dyn EventStore>;

    fn outbox(&self) -> Box<dyn OutboxStore>;

    /// Puts another state into the place of that of the process, as somebody who meddles would.
    async fn meddle(&self, process: &'static str, key: &str, version: u32, state: &str);

    async fn runner<P: ProcessManager>(&self) -> ProcessRunner<P> {
        ProcessRunner::new(self.open().await).follow(self.events())
    }

    /// Appends `event` to the stream of its aggregate under the id.
    async fn append<E: Keyed>(&self, id: &str, event: &E) {
        let stream = StreamId::new(event.event_type().aggregate(), event.aggregate_id());
        let new = NewEvent::new(Id::from(id), Env::system().now(), event).unwrap();
        self.events().append(Append::to(stream, Expected::Any, [new])).await.unwrap();
    }

    /// What was sent, in the order of the outbox.
    async fn sent(&self) -> Vec<Head> {
        let shards: Vec<_> = (0..SHARDS).filter_map(Shard::from_number).collect();
        let pending = self.outbox().pending(&shards, 10_000).await.unwrap();
        let head = |message| NativeJson.decode(&message, None).unwrap().head;
        pending.into_iter().map(|pending| Head::clone(&head(pending.message))).collect()
    }

    /// The types of what was sent to the order.
    async fn sent_to(&self, order: &str) -> Vec<String> {
        let sent = self.sent().await.into_iter().filter(|head| head.aggregate_id == order);
        sent.map(|head| head.event_type.to_string()).collect()
    }
}

/// What was appended, as a bus would deliver it.
pub(crate) fn raw<E: Keyed>(id: &str, event: &E) -> jitney::RawEvent {
    let stream = StreamId::new(event.event_type().aggregate(), event.aggregate_id());
    let new = NewEvent::new(Id::from(id), Env::system().now(), event).unwrap();
    let stored = new.into_stored(&stream, 1, Position::START);
    let event =
        jitney::outbox::OutboxEvent::from_head(stored.head().clone(), stored.payload_json().clone(), "t");
    let message = event.into_message().unwrap();
    let decoded = NativeJson.decode(&message, None).unwrap();
    jitney::RawEvent::new(decoded, Arc::new(message))
}

pub(crate) struct Memory {
    events: MemoryStore,
    processes: MemoryProcessStore,
}

impl Backend for Memory {
    type Processes = MemoryProcessStore;

    async fn new() -> Self {
        Memory { events: MemoryStore::new(), processes: MemoryProcessStore::new() }
    }

    async fn open(&self) -> MemoryProcessStore {
        self.processes.clone()
    }

    fn events(&self) -> Arc<dyn EventStore> {
        Arc::new(self.events.clone())
    }

    fn outbox(&self) -> Box<dyn OutboxStore> {
        Box::new(self.processes.outbox().clone())
    }

    async fn meddle(&self, process: &'static str, key: &str, version: u32, state: &str) {
        let before = self.processes.get(process, key).await.unwrap().unwrap();
        let mut after = before.clone();
        (after.state_version, after.state) = (version, state.to_owned());
        let change = jitney::sourcing::process::ProcessChange {
            expected: before.version,
            process: after,
            steps: Vec::new(),
            deadlines: Default::default(),
        };
        let commit = jitney::sourcing::process::ProcessCommit {
            process,
            changes: vec![change],
            messages: Vec::new(),
            parked: Vec::new(),
            checkpoint: None,
        };
        self.processes.commit(commit).await.unwrap();
    }
}

pub(crate) struct Sqlite {
    store: SqliteStore,
    folder: Folder,
}

impl Sqlite {
    pub(crate) fn path(&self) -> String {
        self.folder.path("orders.db")
    }
}

impl Backend for Sqlite {
    type Processes = SqliteProcessStore;

    async fn new() -> Self {
        let folder = Folder::new("processes");
        Sqlite { store: SqliteStore::open(&folder.path("orders.db")).await.unwrap(), folder }
    }

    async fn open(&self) -> SqliteProcessStore {
        SqliteProcessStore::of(&SqliteStore::open(&self.path()).await.unwrap())
    }

    fn events(&self) -> Arc<dyn EventStore> {
        Arc::new(self.store.clone())
    }

    fn outbox(&self) -> Box<dyn OutboxStore> {
        Box::new(SqliteOutbox::of(&self.store))
    }

    async fn meddle(&self, process: &'static str, key: &str, version: u32, state: &str) {
        let mut transaction = self.store.begin().await.unwrap();
        let sql =
            "UPDATE jitney_processes SET state_version = ?1, state = ?2 WHERE process = ?3 AND key = ?4";
        let update =
            jitney::sql::sqlx::query(sql).bind(i64::from(version)).bind(state).bind(process).bind(key);
        update.execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

pub(crate) struct Postgres {
    store: PostgresStore,
    pub(crate) url: String,
}

impl Backend for Postgres {
    type Processes = PostgresProcessStore;

    async fn new() -> Self {
        let server = jitney_test_servers::postgres_url().unwrap_or_else(|error| panic!("{error}"));
        let name = format!("test_{:016x}", Env::system().random());
        let mut connection = PgConnection::connect(&server).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        raw_sql(create).execute(&mut connection).await.unwrap();
        let (address, _) = server.rsplit_once('/').unwrap();
        let url = format!("{address}/{name}");
        Postgres { store: PostgresStore::builder(&url).max_connections(3).connect().await.unwrap(), url }
    }

    async fn open(&self) -> PostgresProcessStore {
        let store = PostgresStore::builder(&self.url).max_connections(3).connect().await.unwrap();
        PostgresProcessStore::of(&store)
    }

    fn events(&self) -> Arc<dyn EventStore> {
        Arc::new(self.store.clone())
    }

    fn outbox(&self) -> Box<dyn OutboxStore> {
        Box::new(PostgresOutbox::of(&self.store))
    }

    async fn meddle(&self, process: &'static str, key: &str, version: u32, state: &str) {
        let sql = "UPDATE jitney.processes SET state_version = $1, state = $2::json WHERE process = $3 AND key = $4";
        let update =
            jitney::sql::sqlx::query(sql).bind(i64::from(version)).bind(state).bind(process).bind(key);
        update.execute(self.store.pool()).await.unwrap();
    }
}
