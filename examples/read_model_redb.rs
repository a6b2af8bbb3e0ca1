//! A read model in a database that is no SQL database: redb, a table of keys and values in a file. What the library has to know
//! (checkpoints, leases, builds) is one value beside the rows, and both change in one transaction of redb.
//!
//!     cargo run --example read_model_redb

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jitney::prelude::*;
use jitney::sourcing::projection::{
    Build, BuildId, Leased, NewBuild, PassedEvent, ProjectionRecord, ReadModelTransaction, ShardLease, Step,
    Stopped,
};
use jitney::sourcing::{Error, ErrorKind, MemoryStore, ReadModel};
use jitney::{Env, Id};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// By projection: its record, as JSON.
const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("jitney");

/// The rows of a projection. Each build has its own: the number of the build is in front of the key.
fn rows(projection: &str) -> TableDefinition<'_, (u64, &'static str), u64> {
    TableDefinition::new(projection)
}

/// Keeps read models in a redb database. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct RedbReadModel {
    database: Arc<Database>,
    /// Writers wait here, and not in redb, which would hold up a thread.
    turn: Arc<Mutex<()>>,
}

impl RedbReadModel {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        Ok(RedbReadModel {
            database: Arc::new(Database::create(path).map_err(failed)?),
            turn: Arc::default(),
        })
    }

    /// All rows that readers see: of the build that is live when the transaction begins.
    pub(crate) fn rows(&self, projection: &str) -> Result<BTreeMap<String, u64>, Error> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let (Some(records), Some(rows)) =
            (there(transaction.open_table(RECORDS))?, there(transaction.open_table(rows(projection)))?)
        else {
            return Ok(BTreeMap::new());
        };
        let Some(live) = record(&records, projection)?.live() else { return Ok(BTreeMap::new()) };
        let rows = rows.range((live, "")..(live + 1, "")).map_err(failed)?;
        let row = rows.map(|row| row.map(|(key, value)| (key.value().1.to_owned(), value.value())));
        row.collect::<Result<_, _>>().map_err(failed)
    }

    fn look(&self, projection: &str) -> Result<ProjectionRecord, Error> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let records = there(transaction.open_table(RECORDS))?;
        records.map_or_else(|| Ok(ProjectionRecord::default()), |records| record(&records, projection))
    }

    async fn write(&self, projection: &str, build: u64) -> Result<RedbTransaction, Error> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let transaction = self.database.begin_write().map_err(failed)?;
        let record = record(&transaction.open_table(RECORDS).map_err(failed)?, projection)?;
        let connection = Rows { transaction, projection: projection.to_owned(), build };
        Ok(RedbTransaction { connection, record, _turn: turn })
    }

    async fn change<T>(
        &self,
        projection: &str,
        change: impl FnOnce(&mut ProjectionRecord) -> T,
    ) -> Result<T, Error> {
        let mut transaction = self.write(projection, 0).await?;
        let changed = change(&mut transaction.record);
        transaction.commit().await.map(|()| changed)
    }
}

impl ReadModel for RedbReadModel {
    type Connection = Rows;
    type Transaction = RedbTransaction;

    fn describe(&self) -> String {
        "the read models in redb".to_owned()
    }

    async fn builds(&self, projection: &str) -> Result<Vec<Build>, Error> {
        Ok(self.look(projection)?.builds())
    }

    async fn begin_build(&self, build: &NewBuild) -> Result<Option<RedbTransaction>, Error> {
        let mut transaction = self.write(&build.projection, 0).await?;
        Ok(transaction.record.begin_build(build).map(|number| {
            transaction.connection.build = number;
            transaction
        }))
    }

    async fn lease(&self, build: &BuildId, worker: &str, lease: Duration) -> Result<Leased, Error> {
        let now = Env::system().now();
        self.change(&build.projection, |record| record.lease(build, worker, now, lease)).await
    }

    async fn release(&self, projection: &str, worker: &str) -> Result<(), Error> {
        self.change(projection, |record| record.release(worker)).await
    }

    async fn begin(&self, build: &BuildId, _lease: Duration) -> Result<RedbTransaction, Error> {
        self.write(&build.projection, build.number).await
    }

    async fn stop(&self, build: &BuildId, lease: &ShardLease, stopped: &Stopped) -> Result<(), Error> {
        self.change(&build.projection, |record| record.stop(build, lease, stopped)).await
    }

    async fn set_paused(&self, projection: &str, paused: bool) -> Result<(), Error> {
        self.change(projection, |record| record.set_paused(paused)).await
    }

    async fn skip(&self, projection: &str, event_id: &Id) -> Result<bool, Error> {
        self.change(projection, |record| record.skip(event_id)).await
    }

    async fn is_skipped(&self, build: &BuildId, event_id: &Id) -> Result<bool, Error> {
        Ok(self.look(&build.projection)?.is_skipped(build.number, event_id))
    }

    async fn passed(&self, projection: &str, limit: usize) -> Result<Vec<PassedEvent>, Error> {
        let record = self.look(projection)?;
        Ok(record.live().into_iter().flat_map(|live| record.passed(live)).take(limit).cloned().collect())
    }

    /// Rows of builds whose place was taken.
    async fn clean_up(&self, projection: &str) -> Result<(), Error> {
        let transaction = self.write(projection, 0).await?;
        if let Some(live) = transaction.record.live() {
            let table = transaction.connection.transaction.open_table(rows(projection)).map_err(failed);
            table?.retain_in(..(live, ""), |_, _| false).map_err(failed)?;
        }
        transaction.commit().await
    }
}

/// A transaction: the rows of a build, and the record.
pub(crate) struct RedbTransaction {
    connection: Rows,
    record: ProjectionRecord,
    _turn: OwnedMutexGuard<()>,
}

impl ReadModelTransaction for RedbTransaction {
    type Connection = Rows;

    fn connection(&mut self) -> &mut Rows {
        &mut self.connection
    }

    async fn advance(&mut self, step: &Step<'_>) -> Result<bool, Error> {
        Ok(self.record.advance(self.connection.build, step))
    }

    async fn lock(&mut self) -> Result<Vec<Build>, Error> {
        Ok(self.record.builds())
    }

    async fn replace(&mut self) -> Result<bool, Error> {
        self.record.replace(self.connection.build);
        Ok(true)
    }

    async fn commit(self) -> Result<(), Error> {
        let RedbTransaction { connection: Rows { transaction, projection, .. }, record, _turn } = self;
        let json = serde_json::to_vec(&record).map_err(failed)?;
        transaction
            .open_table(RECORDS)
            .and_then(|mut records| Ok(records.insert(&*projection, &*json).map(drop)?))
            .map_err(failed)?;
        // It waits for the disk, and the next one waits for it.
        let commit = move || transaction.commit().map(|()| drop(_turn));
        let unknown = |error| Error::new(ErrorKind::Unknown, "committing to redb").with_source(error);
        match tokio::task::spawn_blocking(commit).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(unknown(Box::<dyn std::error::Error + Send + Sync>::from(error))),
            Err(error) => Err(unknown(error.into())),
        }
    }
}

/// The rows of one build, as a projection changes them.
pub(crate) struct Rows {
    transaction: WriteTransaction,
    projection: String,
    build: u64,
}

impl Rows {
    /// Changes the value of `key`, which is 0 where there is none.
    pub(crate) fn change(&mut self, key: &str, change: impl FnOnce(u64) -> u64) -> Result<(), redb::Error> {
        let mut rows = self.transaction.open_table(rows(&self.projection))?;
        let value = rows.get((self.build, key))?.map_or(0, |value| value.value());
        rows.insert((self.build, key), change(value))?;
        Ok(())
    }
}

fn record(
    records: &impl ReadableTable<&'static str, &'static [u8]>,
    projection: &str,
) -> Result<ProjectionRecord, Error> {
    let json = records.get(projection).map_err(failed)?;
    json.map_or_else(|| Ok(ProjectionRecord::default()), |json| serde_json::from_slice(json.value()))
        .map_err(failed)
}

/// A table that nobody has written into is not there.
fn there<T>(table: Result<T, TableError>) -> Result<Option<T>, Error> {
    match table {
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        table => table.map(Some).map_err(failed),
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Store, "using the read models in redb").with_source(error)
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Account")]
enum AccountEvent {
    Deposited { cents: u64 },
}

/// The balance of each account.
struct Balances;

#[projection(name = "balances")]
impl Balances {
    #[handler]
    async fn changed(&self, event: Envelope<AccountEvent>, rows: &mut Rows) -> Result<(), redb::Error> {
        let AccountEvent::Deposited { cents } = &*event;
        rows.change(&event.head().aggregate_id, |balance| balance + cents)
    }
}

#[derive(Default)]
struct Account;

impl Aggregate for Account {
    type Event = AccountEvent;
    type Command = u64;
    type Error = std::convert::Infallible;

    fn decide(&self, cents: u64) -> Result<Events<AccountEvent>, Self::Error> {
        Ok(AccountEvent::Deposited { cents }.into())
    }

    fn evolve(&mut self, _: &AccountEvent) {}
}

#[tokio::main]
async fn main() -> jitney::Result<()> {
    let path = std::env::temp_dir().join(format!("jitney-read-model-{}.redb", std::process::id()));
    let (store, model) = (MemoryStore::new(), RedbReadModel::open(&path)?);
    let accounts = Repository::<Account>::new(store.clone());
    let projector = Projector::new(store.clone(), model.clone(), Balances).start().await?;
    for (account, cents) in [("ada", 500), ("bo", 70), ("ada", 30)] {
        let deposited = accounts.handle(account, cents).await?;
        if let Some(position) = deposited.position {
            projector.wait_for(&position, Duration::from_secs(5)).await?;
        }
    }
    println!("{:?}", model.rows("balances")?);
    // A new build is made beside, and takes the place of the live one.
    Projector::new(store, model.clone(), Balances).rebuild().await?;
    println!("{:?}, built anew", model.rows("balances")?);
    projector.shutdown().await?;
    let _ = std::fs::remove_file(path);
    Ok(())
}
