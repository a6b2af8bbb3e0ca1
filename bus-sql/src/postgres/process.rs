//! Processes of process managers in PostgreSQL.

mod commit;
mod deadlines;
mod feed;
mod inspect;
mod parked;

use async_trait::async_trait;
use jiff::Timestamp;
use jitney_core::Id;
use jitney_core::personal::Sealer;
use jitney_sourcing::process::{
    DueDeadlines, ListProcesses, Loaded, ParkedInput, PendingDeadline, ProcessCommit, ProcessCounts,
    ProcessInfo, ProcessStep, ProcessStore, StoredProcess,
};
use jitney_sourcing::{Error, Position};
use sqlx::PgConnection;

use super::error::{Effect, failed};
use super::schema::Schema;
use super::store::PostgresStore;

/// Keeps the processes of process managers beside the events and the outbox of a store: what a process sends is in that outbox,
/// in the transaction of its step.
///
/// ```no_run
/// use jitney_core::Bus;
/// use jitney_core::outbox::Relay;
/// use jitney_sourcing::process::{ProcessManager, ProcessRunner};
/// use jitney_sql::{PostgresOutbox, PostgresProcessStore, PostgresStore};
///
/// # async fn example<OrderFlow: ProcessManager>(bus: Bus) -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::connect("postgres://localhost/orders").await?;
/// let relay = Relay::new(PostgresOutbox::of(&store), &bus).spawn();
/// let processes = PostgresProcessStore::of(&store);
/// let running = ProcessRunner::<OrderFlow>::new(processes).follow(store).spawn();
/// # running.shutdown().await?;
/// # relay.shutdown().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct PostgresProcessStore {
    store: PostgresStore,
}

impl PostgresProcessStore {
    /// The processes beside the events of `store`.
    pub fn of(store: &PostgresStore) -> Self {
        PostgresProcessStore { store: store.clone() }
    }

    /// Does what is one statement, or changes nothing.
    async fn work<T>(
        &self,
        doing: &str,
        work: impl AsyncFnOnce(&mut PgConnection, &Schema) -> Result<T, sqlx::Error>,
    ) -> Result<T, Error> {
        let mut connection = self.store.connection().await?;
        let done = work(&mut connection, self.store.schema()).await;
        done.map_err(|error| failed(doing, error, Effect::None))
    }
}

#[async_trait]
impl ProcessStore for PostgresProcessStore {
    fn describe(&self) -> String {
        format!("the processes in schema `{}` of PostgreSQL", self.store.schema().name())
    }

    fn sealer(&self) -> Option<&dyn Sealer> {
        self.store.sealing().sealer()
    }

    async fn load(&self, process: &str, inputs: &[(String, Id)]) -> Result<Loaded, Error> {
        self.work("loading processes", async |connection, schema| {
            inspect::load(connection, schema, process, inputs).await
        })
        .await
    }

    async fn commit(&self, commit: ProcessCommit) -> Result<(), Error> {
        let mut connection = self.store.connection().await?;
        let has_messages = !commit.messages.is_empty();
        commit::commit(&mut connection, self.store.schema(), commit).await?;
        drop(connection);
        if has_messages {
            self.store.wake_readers();
        }
        Ok(())
    }

    async fn claim_due(
        &self,
        process: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<DueDeadlines, Error> {
        self.work("claiming deadlines of processes", async |connection, schema| {
            deadlines::claim_due(connection, schema, process, now, until, limit).await
        })
        .await
    }

    async fn deadlines(&self, process: &str, key: &str) -> Result<Vec<PendingDeadline>, Error> {
        self.work("reading the deadlines of a process", async |connection, schema| {
            deadlines::of(connection, schema, process, key).await
        })
        .await
    }

    async fn claim_feed(
        &self,
        process: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Position>, Error> {
        let claimed = self
            .work("claiming the checkpoint of a process manager", async |connection, schema| {
                feed::claim(connection, schema, process, owner, now, until).await
            });
        claimed.await?.map(|text| crate::process::position(process, &text)).transpose()
    }

    async fn release_feed(&self, process: &str, owner: &str) -> Result<(), Error> {
        self.work("giving up the checkpoint of a process manager", async |connection, schema| {
            feed::release(connection, schema, process, owner).await
        })
        .await
    }

    async fn checkpoint(&self, process: &str) -> Result<Position, Error> {
        let read = self.work("reading the checkpoint of a process manager", async |connection, schema| {
            feed::position(connection, schema, process).await
        });
        read.await?.map_or(Ok(Position::START), |text| crate::process::position(process, &text))
    }

    async fn get(&self, process: &str, key: &str) -> Result<Option<StoredProcess>, Error> {
        self.work("reading a process", async |connection, schema| {
            inspect::get(connection, schema, process, key).await
        })
        .await
    }

    async fn steps(&self, process: &str, key: &str) -> Result<Vec<ProcessStep>, Error> {
        self.work("reading the steps of a process", async |connection, schema| {
            inspect::steps(connection, schema, process, key).await
        })
        .await
    }

    async fn list(&self, process: &str, list: &ListProcesses) -> Result<Vec<ProcessInfo>, Error> {
        self.work("listing processes", async |connection, schema| {
            inspect::list(connection, schema, process, list).await
        })
        .await
    }

    async fn counts(&self, process: &str, now: Timestamp) -> Result<ProcessCounts, Error> {
        self.work("counting processes", async |connection, schema| {
            inspect::counts(connection, schema, process, now).await
        })
        .await
    }

    async fn remove_completed(&self, process: &str, before: Timestamp, limit: usize) -> Result<u64, Error> {
        self.work("removing processes that have ended", async |connection, schema| {
            inspect::remove_completed(connection, schema, process, before, limit).await
        })
        .await
    }

    async fn name_parked(&self, process: &str, input: &ParkedInput) -> Result<(), Error> {
        self.work("putting an input aside", async |connection, schema| {
            parked::name(connection, schema, process, input).await
        })
        .await
    }

    async fn parked_input(&self, process: &str, event_id: &Id) -> Result<Option<ParkedInput>, Error> {
        self.work("looking for an input that was put aside", async |connection, schema| {
            parked::get(connection, schema, process, event_id).await
        })
        .await
    }

    async fn parked(&self, process: &str, limit: usize) -> Result<Vec<ParkedInput>, Error> {
        self.work("reading what was put aside", async |connection, schema| {
            parked::list(connection, schema, process, limit).await
        })
        .await
    }

    async fn unpark(&self, process: &str, event_id: &Id) -> Result<(), Error> {
        self.work("forgetting what was put aside", async |connection, schema| {
            parked::remove(connection, schema, process, event_id).await
        })
        .await
    }
}
