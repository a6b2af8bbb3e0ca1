//! In memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use jitney::DomainEvent;
use jitney::Env;
use jitney::event::EventType;
use jitney::handler::HandlerError;
use jitney::outbox::{MemoryOutbox, OutboxStore};
use jitney::sourcing::{
    Append, Error, ErrorKind, EventStore, Expected, Filter, MemoryReadModel, MemoryStore, NewEvent, Position,
    Projecting, Projection, Projector, StoredEvent, StreamId,
};

use crate::inline::InlineDatabase;
use crate::setting::{Conduct, Database, PATIENCE, POISON, Payer, PurseEvent, Row, Rows};

struct Memory {
    store: MemoryStore,
    model: MemoryReadModel<Rows>,
    outbox: MemoryOutbox,
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
        Memory { store: MemoryStore::new(), model: MemoryReadModel::new(), outbox: MemoryOutbox::new() }
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
inline_checks!(Memory);

impl InlineDatabase for Memory {
    type Store = MemoryStore;

    async fn open(&self, inline: Option<(u32, &Conduct)>) -> Result<MemoryStore, Error> {
        let store = self.store.clone().with_outbox(self.outbox.clone(), Filter::all());
        match inline {
            Some((version, conduct)) => store.inline(&self.model, self.purses(version, conduct)).await,
            None => Ok(store),
        }
    }

    async fn outbox(&self, _: &MemoryStore) -> u64 {
        self.outbox.backlog().await.unwrap().pending
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_inline_projections_of_one_name_are_refused() {
    let (database, conduct) = (Memory::new().await, Conduct::default());
    let store = database.inline(1, &conduct).await;
    let error = store.inline(&MemoryReadModel::new(), database.purses(1, &conduct)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("two inline projections are called `purses`"), "{error}");
}

/// A projection of another kind, in a read model of its own.
struct Count;

impl Projection for Count {
    type Connection = u64;

    fn name(&self) -> &str {
        "count"
    }

    fn filter(&self) -> Filter {
        Filter::of::<PurseEvent>()
    }

    async fn apply(&self, _: &StoredEvent, at: &mut Projecting<'_, u64>) -> Result<(), HandlerError> {
        *at.connection() += 1;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_inline_projections_all_have_an_event_or_none() {
    let (database, conduct, counts) = (Memory::new().await, Conduct::default(), MemoryReadModel::new());
    let store = database.store.clone().inline(&counts, Count).await.unwrap();
    let store = store.inline(&database.model, database.purses(1, &conduct)).await.unwrap();
    let mut payer = Payer::default();
    payer.pay(&store, "a", &[1, 2]).await;
    let event = PurseEvent::Filled { cents: POISON };
    let event = NewEvent::new(Env::system().new_id(), Env::system().now(), &event).unwrap();
    let append = Append::to(StreamId::new("Purse", "a"), Expected::Any, [event]);
    assert_eq!(store.append(append).await.unwrap_err().kind(), ErrorKind::Projection);
    assert_eq!((counts.read("count", |count| *count), database.rows().await), (Some(2), payer.rows(1)));
}

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
