//! redb, by the read model of the example: whoever implements `ReadModel` can be held to the same.

use std::path::Path;
use std::sync::Arc;

use jitney::handler::HandlerError;
use jitney::sourcing::{EventStore, Filter, MemoryStore, Projecting, Projection, StoredEvent};

use crate::example::{RedbReadModel, Rows as Connection};
use crate::folder::Folder;
use crate::setting::{Conduct, Database, PurseEvent, Row, Rows};

struct Redb {
    store: MemoryStore,
    model: RedbReadModel,
    _folder: Folder,
}

struct Purses {
    version: u32,
    conduct: Conduct,
}

impl Projection for Purses {
    type Connection = Connection;

    fn name(&self) -> &str {
        "purses"
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn filter(&self) -> Filter {
        Filter::of::<PurseEvent>()
    }

    async fn apply(
        &self,
        event: &StoredEvent,
        at: &mut Projecting<'_, Connection>,
    ) -> Result<(), HandlerError> {
        let (cents, purse) =
            (self.conduct.cents(event)? * u64::from(self.version), &event.head().aggregate_id);
        at.connection().change(&format!("{purse} cents"), |before| before + cents)?;
        at.connection().change(&format!("{purse} sequence"), |before| before + 1)?;
        Ok(())
    }

    async fn after_commit(&self, events: &[StoredEvent]) {
        self.conduct.tell(events);
    }
}

impl Database for Redb {
    type Model = RedbReadModel;
    type Purses = Purses;

    async fn new() -> Self {
        let folder = Folder::new("redb");
        let model = RedbReadModel::open(Path::new(&folder.path("purses.redb"))).unwrap();
        Redb { store: MemoryStore::new(), model, _folder: folder }
    }

    fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(self.store.clone())
    }

    async fn model(&self) -> RedbReadModel {
        // One process has the file.
        self.model.clone()
    }

    fn purses(&self, version: u32, conduct: &Conduct) -> Purses {
        Purses { version, conduct: conduct.clone() }
    }

    async fn rows(&self) -> Rows {
        let mut rows = Rows::new();
        for (key, value) in self.model.rows("purses").unwrap() {
            let (purse, column) = key.rsplit_once(' ').unwrap();
            let Row { cents, sequence } = rows.entry(purse.to_owned()).or_default();
            *if column == "cents" { cents } else { sequence } = value;
        }
        rows
    }
}

all_checks!(Redb);
