//! In memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use jitney::DomainEvent;
use jitney::event::EventType;
use jitney::handler::HandlerError;
use jitney::sourcing::{
    EventStore, Filter, MemoryReadModel, MemoryStore, Projecting, Projection, StoredEvent,
};

use crate::setting::{Conduct, Database, PurseEvent, Row, Rows};

struct Memory {
    store: MemoryStore,
    model: MemoryReadModel<Rows>,
}

pub(crate) struct Purses {
    pub(crate) version: u32,
    pub(crate) conduct: Conduct,
}

impl Projection for Purses {
    type Connection = BTreeMap<String, Row>;

    fn name(&self) -> &str {
        "purses"
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn filter(&self) -> Filter {
        Filter::of::<PurseEvent>()
    }

    fn event_types(&self) -> Vec<&'static EventType> {
        PurseEvent::accepts()
    }

    async fn apply(&self, event: &StoredEvent, at: &mut Projecting<'_, Rows>) -> Result<(), HandlerError> {
        let cents = self.conduct.cents(event)? * u64::from(self.version);
        let row = at.connection().entry(event.head().aggregate_id.to_string()).or_default();
        *row = Row { cents: row.cents + cents, sequence: row.sequence + 1 };
        Ok(())
    }

    async fn after_commit(&self, events: &[StoredEvent]) {
        self.conduct.tell(events);
    }
}

impl Database for Memory {
    type Model = MemoryReadModel<Rows>;
    type Purses = Purses;

    async fn new() -> Self {
        Memory { store: MemoryStore::new(), model: MemoryReadModel::new() }
    }

    fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(self.store.clone())
    }

    async fn model(&self) -> MemoryReadModel<Rows> {
        self.model.clone()
    }

    fn purses(&self, version: u32, conduct: &Conduct) -> Purses {
        Purses { version, conduct: conduct.clone() }
    }

    async fn rows(&self) -> Rows {
        self.model.read("purses", Clone::clone).unwrap_or_default()
    }
}

all_checks!(Memory);
bus_checks!(Memory);
