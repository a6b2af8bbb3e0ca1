//! In memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use jitney::DomainEvent;
use jitney::Env;
use jitney::event::EventType;
use jitney::handler::HandlerError;
use jitney::sourcing::{
    EventStore, Filter, MemoryReadModel, MemoryStore, Position, Projecting, Projection, Projector,
    StoredEvent,
};

use crate::setting::{Conduct, Database, PATIENCE, Payer, PurseEvent, Row, Rows};

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

/// A server waits on tasks of its own, which may go from one thread to another.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_started_waited_for_and_rebuilt_on_a_task_of_its_own() {
    let (database, conduct, mut payer) = (Memory::new().await, Conduct::default(), Payer::default());
    let position = payer.pay(&database.store, "a", &[1]).await;
    let (store, model) = (database.store.clone(), database.model.clone());
    let worked = Env::system().spawn(async move {
        let projector = |version| {
            let purses = Purses { version, conduct: conduct.clone() };
            Projector::new(store.clone(), model.clone(), purses)
        };
        let running = projector(1).start().await?;
        running.wait_for(&position, PATIENCE).await?;
        let id = store.read_all(&Position::START, &Filter::all(), 1).await?.events[0]
            .head()
            .correlation_id()
            .clone();
        running.wait_for_correlation(&store, &id, PATIENCE).await?;
        running.wait_for_end(PATIENCE).await?;
        projector(2).rebuild().await?;
        running.shutdown().await
    });
    worked.await.unwrap().unwrap();
    assert_eq!(database.rows().await, payer.rows(2));
}
