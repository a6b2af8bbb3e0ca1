//! Processes of process managers in SQLite.

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
use sqlx::SqliteConnection;

use super::SqliteStore;
use super::error::commit_failed;

/// Keeps the processes of process managers beside the events and the outbox of a store: what a process sends is in that outbox,
/// in the transaction of its step.
///
/// ```no_run
/// use jitney_core::Bus;
/// use jitney_core::outbox::Relay;
/// use jitney_sourcing::process::{ProcessManager, ProcessRunner};
/// use jitney_sql::{SqliteOutbox, SqliteProcessStore, SqliteStore};
///
/// # async fn example<OrderFlow: ProcessManager>(bus: Bus) -> Result<(), Box<dyn std::error::Error>> {
/// let store = SqliteStore::open("orders.db").await?;
/// let relay = Relay::new(SqliteOutbox::of(&store), &bus).spawn();
/// let processes = SqliteProcessStore::of(&store);
/// let running = ProcessRunner::<OrderFlow>::new(processes).follow(store).spawn();
/// # running.shutdown().await?;
/// # relay.shutdown().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteProcessStore {
    store: SqliteStore,
}

impl SqliteProcessStore {
    /// The processes beside the events of `store`.
    pub fn of(store: &SqliteStore) -> Self {
        SqliteProcessStore { store: store.clone() }
    }

    async fn read<T>(
        &self,
        doing: &str,
        read: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Error> {
        let mut connection = self.store.reader().await?;
        read(&mut connection).await.map_err(|error| self.store.failed(doing, error))
    }

    async fn write<T>(
        &self,
        doing: &str,
        write: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Error> {
        let mut transaction = self.store.begin().await?;
        let done = write(&mut transaction).await.map_err(|error| self.store.failed(doing, error))?;
        let committed = transaction.commit().await;
        committed.map_err(|error| commit_failed(self.store.place(), doing, error))?;
        Ok(done)
    }
}

#[async_trait]
impl ProcessStore for SqliteProcessStore {
    fn describe(&self) -> String {
        format!("the processes in {}", self.store.place())
    }

    fn sealer(&self) -> Option<&dyn Sealer> {
        self.store.sealing().sealer()
    }

    async fn load(&self, process: &str, inputs: &[(String, Id)]) -> Result<Loaded, Error> {
        self.read("loading processes", async |connection| inspect::load(connection, process, inputs).await)
            .await
    }

    async fn commit(&self, commit: ProcessCommit) -> Result<(), Error> {
        commit::commit(&self.store, commit).await
    }

    async fn claim_due(
        &self,
        process: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<DueDeadlines, Error> {
        // Where nothing is due, nobody has to wait for a turn to write.
        let next = self.read("looking for deadlines of processes", async |connection| {
            deadlines::next(connection, process, now).await
        });
        let next = next.await?;
        if next.is_none_or(|next| next > now) {
            return Ok(DueDeadlines { claimed: Vec::new(), next });
        }
        self.write("claiming deadlines of processes", async |connection| {
            deadlines::claim_due(connection, process, now, until, limit).await
        })
        .await
    }

    async fn deadlines(&self, process: &str, key: &str) -> Result<Vec<PendingDeadline>, Error> {
        self.read("reading the deadlines of a process", async |connection| {
            deadlines::of(connection, process, key).await
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
        let claimed = self.write("claiming the checkpoint of a process manager", async |connection| {
            feed::claim(connection, process, owner, now, until).await
        });
        claimed.await?.map(|text| crate::process::position(process, &text)).transpose()
    }

    async fn release_feed(&self, process: &str, owner: &str) -> Result<(), Error> {
        self.write("giving up the checkpoint of a process manager", async |connection| {
            feed::release(connection, process, owner).await
        })
        .await
    }

    async fn checkpoint(&self, process: &str) -> Result<Position, Error> {
        let read = self.read("reading the checkpoint of a process manager", async |connection| {
            feed::position(connection, process).await
        });
        read.await?.map_or(Ok(Position::START), |text| crate::process::position(process, &text))
    }

    async fn get(&self, process: &str, key: &str) -> Result<Option<StoredProcess>, Error> {
        self.read("reading a process", async |connection| inspect::get(connection, process, key).await).await
    }

    async fn steps(&self, process: &str, key: &str) -> Result<Vec<ProcessStep>, Error> {
        self.read("reading the steps of a process", async |connection| {
            inspect::steps(connection, process, key).await
        })
        .await
    }

    async fn list(&self, process: &str, list: &ListProcesses) -> Result<Vec<ProcessInfo>, Error> {
        self.read("listing processes", async |connection| inspect::list(connection, process, list).await)
            .await
    }

    async fn counts(&self, process: &str, now: Timestamp) -> Result<ProcessCounts, Error> {
        self.read("counting processes", async |connection| inspect::counts(connection, process, now).await)
            .await
    }

    async fn remove_completed(&self, process: &str, before: Timestamp, limit: usize) -> Result<u64, Error> {
        self.write("removing processes that have ended", async |connection| {
            inspect::remove_completed(connection, process, before, limit).await
        })
        .await
    }

    async fn name_parked(&self, process: &str, input: &ParkedInput) -> Result<(), Error> {
        self.write("putting an input aside", async |connection| {
            parked::name(connection, process, input).await
        })
        .await
    }

    async fn parked_input(&self, process: &str, event_id: &Id) -> Result<Option<ParkedInput>, Error> {
        self.read("looking for an input that was put aside", async |connection| {
            parked::get(connection, process, event_id).await
        })
        .await
    }

    async fn parked(&self, process: &str, limit: usize) -> Result<Vec<ParkedInput>, Error> {
        self.read("reading what was put aside", async |connection| {
            parked::list(connection, process, limit).await
        })
        .await
    }

    async fn unpark(&self, process: &str, event_id: &Id) -> Result<(), Error> {
        self.write("forgetting what was put aside", async |connection| {
            parked::remove(connection, process, event_id).await
        })
        .await
    }
}
