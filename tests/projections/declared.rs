//! `#[projection]`: the events of several streams and types in one read model, old versions of them too.

use std::collections::BTreeMap;

use jitney::handler::HandlerError;
use jitney::prelude::*;
use jitney::sourcing::{
    Append, EventStore, Expected, MemoryReadModel, MemoryStore, NewEvent, OnFailure, Projecting, StoredEvent,
    StreamId,
};
use jitney::{Env, Envelope};
use jitney_testkit::project;

use crate::setting::{Conduct, PATIENCE};

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Customer", id = customer_id)]
struct CustomerNamed {
    customer_id: String,
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, version = "2.0", upcast_from = OrderPlacedV1)]
struct OrderPlaced {
    order_id: String,
    customer_id: String,
    cents: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, type = "OrderPlaced")]
struct OrderPlacedV1 {
    order_id: String,
    customer_id: String,
    euros: u64,
}

impl From<OrderPlacedV1> for OrderPlaced {
    fn from(old: OrderPlacedV1) -> Self {
        OrderPlaced { order_id: old.order_id, customer_id: old.customer_id, cents: old.euros * 100 }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderCancelled {
    order_id: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Orders {
    names: BTreeMap<String, String>,
    /// By order: the customer, and the cents.
    open: BTreeMap<String, (String, u64)>,
    sequences: Vec<u64>,
    /// Those who were named since the projection was there.
    welcomed: Vec<String>,
    ready: bool,
}

impl Orders {
    /// What each customer owes, by name: the question across aggregates.
    fn owed(&self) -> BTreeMap<&str, u64> {
        let mut owed = BTreeMap::new();
        for (customer, cents) in self.open.values() {
            *owed.entry(&*self.names[customer]).or_default() += cents;
        }
        owed
    }
}

struct Owed(Conduct);

#[projection(name = "owed", version = 1)]
impl Owed {
    #[prepare]
    async fn tables(&self, orders: &mut Orders) -> Result<(), HandlerError> {
        orders.ready = true;
        Ok(())
    }

    #[handler]
    async fn named(&self, named: CustomerNamed, at: &mut Projecting<'_, Orders>) {
        if at.is_live() {
            at.connection().welcomed.push(named.name.clone());
        }
        at.connection().names.insert(named.customer_id, named.name);
    }

    #[handler]
    async fn placed(&self, placed: Envelope<OrderPlaced>, orders: &mut Orders) -> jitney::Result<()> {
        orders.sequences.extend(placed.head().sequence);
        orders.open.insert(placed.order_id.clone(), (placed.customer_id.clone(), placed.cents));
        Ok(())
    }

    #[handler]
    async fn cancelled(&self, cancelled: OrderCancelled, orders: &mut Orders) -> Result<(), HandlerError> {
        let known = orders.open.remove(&cancelled.order_id);
        known.map(drop).ok_or_else(|| HandlerError::permanent("no such order"))
    }

    #[after_commit]
    async fn told(&self, events: &[StoredEvent]) {
        self.0.tell(events);
    }
}

async fn append<E: DomainEvent>(store: &MemoryStore, id: &str, event: E) {
    let env = Env::system();
    let stream = StreamId::new(event.event_type().aggregate(), id);
    let event = NewEvent::new(env.new_id(), env.now(), &event).unwrap();
    store.append(Append::to(stream, Expected::Any, [event])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn events_of_several_streams_and_versions_are_joined_in_one_read_model() {
    let (store, model, conduct) = (MemoryStore::new(), MemoryReadModel::<Orders>::new(), Conduct::default());
    let id = |id: &str| id.to_owned();
    append(&store, "c-0", CustomerNamed { customer_id: id("c-0"), name: id("Cy") }).await;
    let projector = Projector::new(store.clone(), model.clone(), Owed(conduct.clone()));
    let projector = projector.on_failure(OnFailure::Park).start().await.unwrap();
    for (customer, name) in [("c-1", "Ada"), ("c-2", "Bo")] {
        append(&store, customer, CustomerNamed { customer_id: id(customer), name: id(name) }).await;
    }
    append(&store, "o-1", OrderPlacedV1 { order_id: id("o-1"), customer_id: id("c-1"), euros: 3 }).await;
    append(&store, "o-2", OrderPlaced { order_id: id("o-2"), customer_id: id("c-2"), cents: 70 }).await;
    append(&store, "o-3", OrderPlaced { order_id: id("o-3"), customer_id: id("c-1"), cents: 5 }).await;
    append(&store, "o-2", OrderCancelled { order_id: id("o-2") }).await;
    append(&store, "o-9", OrderCancelled { order_id: id("o-9") }).await;
    append(&store, "o-4", OrderPlaced { order_id: id("o-4"), customer_id: id("c-2"), cents: 9 }).await;
    projector.wait_for_end(PATIENCE).await.unwrap();
    let owed = |orders: &Orders| {
        let owed = orders.owed();
        (owed["Ada"], owed["Bo"], orders.ready, orders.sequences.clone())
    };
    assert_eq!(model.read("owed", owed), Some((305, 9, true, vec![1, 1, 1, 1])));
    assert_eq!(model.read("owed", |orders| orders.welcomed.clone()).unwrap(), ["Ada", "Bo"]);
    let passed = projector.passed(10).await.unwrap();
    assert!(passed.len() == 1 && passed[0].event.aggregate_id == "o-9", "{passed:?}");
    projector.shutdown().await.unwrap();
    assert_eq!(conduct.told().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_filter_has_the_types_of_all_handlers_and_those_before_an_upcast() {
    let filter = Owed(Conduct::default()).filter();
    for (aggregate, event) in
        [("Customer", "CustomerNamed"), ("Order", "OrderPlaced"), ("Order", "OrderCancelled")]
    {
        assert!(filter.is_for(aggregate, event), "{event}");
    }
    assert!(!filter.is_for("Order", "OrderShipped"));
    let owed = Owed(Conduct::default());
    assert_eq!((owed.name(), owed.version()), ("owed", 1));
}

#[tokio::test]
async fn events_alone_test_a_projection_and_a_difference_is_shown() {
    let named = |name: &str| CustomerNamed { customer_id: "c-1".to_owned(), name: name.to_owned() };
    let placed = OrderPlacedV1 { order_id: "o-1".to_owned(), customer_id: "c-1".to_owned(), euros: 3 };
    let projected = project(Owed(Conduct::default())).await;
    let projected = projected.given("c-1", [named("Ada"), named("Eve")]).await.given("o-1", [placed]).await;
    let projected = projected.then(|orders| assert_eq!(orders.owed(), BTreeMap::from([("Eve", 300)])));
    let expected = Orders { ready: true, ..Orders::default() };
    let wrong = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| projected.then_is(&expected)));
    let message = *wrong.map(drop).unwrap_err().downcast::<String>().unwrap();
    for line in ["the read model is another one", "-     names: {},", "+         \"c-1\": \"Eve\","] {
        assert!(message.contains(line), "{line} in: {message}");
    }
    let unknown = OrderCancelled { order_id: "o-2".to_owned() };
    let error = project(Owed(Conduct::default())).await.refuses("o-2", unknown).await;
    assert!(!error.is_retryable() && error.to_string().contains("no such order"));
}
