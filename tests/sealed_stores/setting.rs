//! The databases, and what they have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use jitney::Env;
use jitney::inbox::Inbox;
use jitney::outbox::{OutboxEvent, OutboxStore, SHARDS, Shard};
use jitney::sourcing::process::{ProcessRunner, ProcessStore};
use jitney::sourcing::{Append, Error, EventStore, Projection, Projector, ReadModel};
use jitney_testkit::mirror::Mirror;

use crate::parcels::{Courier, MIRRORED, NAME};

/// The bound on every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A database of a service: events with an outbox of all of them, processes, read models.
pub(crate) trait Database: Sized + Sync {
    type Store: EventStore + Clone;
    type Outbox: OutboxStore;
    type Processes: ProcessStore + Clone;
    type Model: ReadModel;
    /// Writes who gets which parcel into the table `labels`, in plain text; or, where it cannot read what it is given, says so.
    type Labels: Projection<Connection = <Self::Model as ReadModel>::Connection>;

    async fn new() -> Self;

    fn mirror(&self) -> &Mirror;

    /// The store, which seals.
    fn store(&self) -> &Self::Store;

    /// The same database without what seals.
    fn plain(&self) -> Self::Store;

    /// The same with `labels` inline.
    async fn inline(&self) -> Result<Self::Store, Error>;

    fn outbox(&self, of: &Self::Store) -> Self::Outbox;

    fn inbox(&self, of: &Self::Store) -> Box<dyn Inbox>;

    fn processes(&self, of: &Self::Store) -> Self::Processes;

    fn model(&self) -> Self::Model;

    fn labels(&self, version: u32, misreads: bool) -> Self::Labels;

    /// Appends, and puts an event into the outbox, in one transaction of the caller's.
    async fn in_transaction(&self, append: Append, event: OutboxEvent) -> Result<(), jitney::Error>;

    /// What readers see of `labels`.
    async fn read_labels(&self) -> BTreeMap<String, String>;

    /// Everything that is in the database, by table.
    async fn everything(&self) -> BTreeMap<String, String>;

    /// Executes statements, as somebody who meddles would.
    async fn meddle(&self, sql: &str);

    /// The table of this name, as statements have it.
    fn table(&self, name: &str) -> String;

    async fn append(&self, append: Append) {
        self.store().append(append).await.unwrap();
    }

    /// Has the name in event `event_id` come from another place.
    async fn change(&self, event_id: &str) {
        let events = self.table("events");
        self.meddle(&format!(
            "UPDATE {events} SET payload = {} WHERE event_id = '{event_id}'",
            self.replaced("payload", "\"place\":\"Parcel/", "\"place\":\"Elsewhere/")
        ))
        .await;
    }

    /// The column with one text in the place of another.
    fn replaced(&self, column: &str, from: &str, to: &str) -> String;

    fn runner(&self) -> ProcessRunner<Courier> {
        ProcessRunner::new(self.processes(self.store())).follow(self.store().clone())
    }

    fn projector(&self, version: u32, misreads: bool) -> Projector<Self::Labels, Self::Model> {
        Projector::new(self.store().clone(), self.model(), self.labels(version, misreads))
            .poll_every(Duration::from_millis(20))
    }

    /// What is in the outbox, as texts.
    async fn outgoing(&self) -> Vec<String> {
        let shards: Vec<_> = (0..SHARDS).filter_map(Shard::from_number).collect();
        let pending = self.outbox(self.store()).pending(&shards, 10_000).await.unwrap();
        pending.into_iter().map(|event| String::from_utf8(event.message.body.to_vec()).unwrap()).collect()
    }

    /// Sees to it that the name is nowhere in plain text, and sealed in `tables`, but for the tables of `except`.
    async fn assert_sealed(&self, tables: &[&str], except: &[&str]) {
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        let everything = self.everything().await;
        let has = |text: &str, what: &str| text.contains(what) || text.to_lowercase().contains(&hex(what));
        for (table, text) in &everything {
            let is_open = has(text, NAME);
            assert!(!is_open || except.contains(&&**table), "`{table}` has the name in plain text: {text}");
        }
        for table in tables {
            let text = everything.get(*table).unwrap_or_else(|| panic!("no table is called `{table}`"));
            assert!(has(text, MIRRORED), "`{table}` does not have the name sealed: {text}");
        }
    }
}

/// Waits until `done`.
pub(crate) async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let env = Env::system();
    let waiting = async {
        while !done().await {
            env.sleep(Duration::from_millis(20)).await;
        }
    };
    env.timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("it did not come to this: {what}"));
}
