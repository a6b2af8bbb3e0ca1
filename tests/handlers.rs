//! What `#[handler]`, `handlers![…]` and `#[jitney::test]` make of functions: run on the memory bus.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::app::GroupDescription;
use jitney::handler::{Attempt, IntoHandlers};
use jitney::prelude::*;
use jitney_testkit::TestApp;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
    invoice: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderShipped {
    order_id: String,
    by: String,
}

fn paid(order_id: &str, invoice: u32) -> OrderPaid {
    OrderPaid { order_id: order_id.to_owned(), invoice }
}

/// How often something was called.
#[derive(Debug, Clone, Default)]
struct Calls(Arc<AtomicU32>);

impl Calls {
    fn count(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn so_far(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, PartialEq)]
enum Trouble {
    Passing,
    Lasting(u8),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Trouble {}

fn groups(handlers: impl IntoHandlers) -> Vec<GroupDescription> {
    let bus = Bus::new(jitney::memory::Memory::builder().build());
    App::new("shop", bus).handlers(handlers).describe().expect("the set-up is right").groups
}

#[handler(group = "shipping")]
async fn ship(paid: Envelope<OrderPaid>, State(carrier): State<&'static str>) -> OrderShipped {
    OrderShipped { order_id: paid.order_id.clone(), by: carrier.to_owned() }
}

#[jitney::test]
async fn what_a_handler_returns_is_published_because_of_its_event() {
    let app = TestApp::run(|bus| App::new("shop", bus).handlers(handlers![ship])).state("DHL").await;
    let id = app.publish(&paid("42", 1)).await;
    app.settled().await;
    app.assert_published::<OrderShipped>(|shipped| {
        shipped.by == "DHL" && shipped.metadata().causation_id.as_ref() == Some(&id)
    });
    app.assert_no_dead_letters();
}

#[jitney::test(semantics = "eventbridge", seeds = 20)]
async fn every_seed_of_a_test_is_run_under_duplicates_and_disorder() {
    let app = TestApp::run(|bus| App::new("shop", bus).handlers(handlers![ship])).state("DHL").await;
    for order in ["1", "2", "3"] {
        app.publish(&paid(order, 1)).await;
    }
    app.settled().await;
    for order in ["1", "2", "3"] {
        app.assert_published::<OrderShipped>(|shipped| shipped.order_id == order);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_is_still_a_function() {
    #[handler(retry(permanent = Trouble::Lasting(_)))]
    async fn refuse(paid: OrderPaid) -> Result<(), Trouble> {
        Err(Trouble::Lasting(paid.invoice as u8))
    }

    assert_eq!(refuse(paid("42", 7)).await, Err(Trouble::Lasting(7)));
}

#[handler(group = "billing", retry(attempts = 3, from = "1ms", to = "2ms", permanent = Trouble::Lasting(0..=9) | Trouble::Lasting(99)))]
async fn bill(paid: OrderPaid, State(calls): State<Calls>) -> Result<OrderShipped, Trouble> {
    calls.count();
    match paid.invoice {
        0 => Err(Trouble::Passing),
        other => Err(Trouble::Lasting(other as u8)),
    }
}

async fn attempts_at(invoice: u32) -> u32 {
    let calls = Calls::default();
    let app = TestApp::run(|bus| App::new("shop", bus).handlers(handlers![bill])).state(calls.clone()).await;
    app.publish(&paid("42", invoice)).await;
    app.settled().await;
    assert_eq!(app.dead_letters().len(), 1);
    calls.so_far()
}

#[jitney::test]
async fn errors_that_permanent_matches_are_not_tried_again() {
    assert_eq!(attempts_at(0).await, 3, "`Passing` is matched by no pattern");
    assert_eq!(attempts_at(9).await, 1);
    assert_eq!(attempts_at(99).await, 1);
    assert_eq!(attempts_at(50).await, 3, "`Lasting(50)` is matched by no pattern");
}

#[jitney::test]
async fn a_natural_key_is_handled_once() -> Result<(), Trouble> {
    #[handler(idempotent(key = invoice))]
    async fn by_field(_paid: Envelope<OrderPaid>, State(calls): State<Calls>) {
        calls.count();
    }

    #[handler(idempotent(key = |paid: &OrderPaid| paid.invoice % 10))]
    async fn by_function(_paid: OrderPaid, State(calls): State<Calls>) {
        calls.count();
    }

    for (handlers, expected) in [(handlers![by_field], 3), (handlers![by_function], 2)] {
        let calls = Calls::default();
        let app = TestApp::run(|bus| App::new("shop", bus).handlers(handlers)).state(calls.clone()).await;
        for invoice in [1, 2, 1, 12, 2] {
            app.publish(&paid("42", invoice)).await;
        }
        app.settled().await;
        assert_eq!(calls.so_far(), expected);
    }
    Ok(())
}

#[derive(Default)]
struct Warehouse {
    seen: Mutex<Vec<String>>,
    calls: Calls,
}

#[handler(group = "warehouse", retry(attempts = 2, from = "1ms", to = "1ms"))]
impl Warehouse {
    #[handler]
    async fn on_paid(&self, paid: OrderPaid, Attempt(attempt): Attempt) -> Result<OrderShipped, Trouble> {
        if attempt == 1 {
            return Err(Trouble::Passing);
        }
        self.seen.lock().expect("nobody panicked").push(format!("paid {}", paid.order_id));
        Ok(OrderShipped { order_id: paid.order_id, by: "us".to_owned() })
    }

    #[handler(retry(attempts = 5), name = "shipped")]
    async fn on_shipped(&self, shipped: OrderShipped) {
        self.seen.lock().expect("nobody panicked").push(format!("shipped {}", shipped.order_id));
        self.calls.count();
    }
}

#[jitney::test]
async fn methods_share_the_one_value() {
    let warehouse = Arc::new(Warehouse::default());
    let shared = Arc::clone(&warehouse);
    let app = TestApp::run(move |bus| App::new("shop", bus).handlers(shared)).await;
    app.publish(&paid("42", 1)).await;
    app.settled().await;
    assert_eq!(*warehouse.seen.lock().unwrap(), ["paid 42", "shipped 42"]);
    assert_eq!(warehouse.calls.so_far(), 1);
    app.assert_no_dead_letters();
}

#[test]
fn methods_take_the_arguments_of_their_block_unless_they_have_their_own() {
    let groups = groups(Warehouse::default());
    let [group] = groups.as_slice() else { panic!("the block is one group: {groups:?}") };
    assert_eq!(group.name, "shop.warehouse");
    let mut handlers: Vec<_> =
        group.handlers.iter().map(|handler| (&*handler.name, handler.attempts)).collect();
    handlers.sort_unstable();
    assert_eq!(handlers, [("shipped", 5), ("warehouse.on_paid", 2)]);
}

#[test]
fn names_and_groups_default_to_those_in_rust() {
    #[handler]
    async fn r#move(_paid: OrderPaid) {}

    struct ColdStore<T>(T);

    #[handler]
    impl<T: Send + Sync + 'static> ColdStore<T> {
        #[handler]
        async fn on_paid(&self, _paid: OrderPaid) {
            let _ = &self.0;
        }
    }

    let groups = groups(handlers![r#move, ColdStore(1)]);
    let names: Vec<_> = groups.iter().map(|group| (&*group.name, &*group.handlers[0].name)).collect();
    assert_eq!(names, [("shop.cold_store", "cold_store.on_paid"), ("shop.move", "move")]);
}

#[test]
fn arguments_reach_the_group() {
    #[handler(concurrency = 3, broadcast, idempotent, retry(attempts = 7))]
    async fn all(_paid: OrderPaid) {}

    #[handler(ordered = false, broadcast = false, idempotent = false, exactly_once = false)]
    async fn none(_paid: OrderPaid) {}

    #[handler(exactly_once)]
    async fn once(_paid: OrderPaid) {}

    let groups = groups(handlers![all, none, once]);
    let told = |index: usize| {
        let GroupDescription { broadcast, exactly_once, concurrency, handlers, .. } = &groups[index];
        (*broadcast, *exactly_once, *concurrency, handlers[0].idempotent, handlers[0].attempts)
    };
    let (broadcast, exactly_once, _, idempotent, attempts) = told(1);
    assert_eq!(told(0), (true, false, 3, true, 7));
    assert_eq!((broadcast, exactly_once, idempotent, attempts), (false, false, false, 5));
    assert!(told(2).1);
}

#[jitney::test]
async fn an_attempt_beyond_its_time_fails() {
    #[handler(timeout = "30s", retry(attempts = 2, from = "1ms"))]
    async fn hang(_paid: OrderPaid, State(calls): State<Calls>) {
        calls.count();
        std::future::pending::<()>().await;
    }

    let calls = Calls::default();
    let app = TestApp::run(|bus| App::new("shop", bus).handlers(handlers![hang])).state(calls.clone()).await;
    app.publish(&paid("42", 1)).await;
    app.advance(Duration::from_secs(29)).await;
    assert_eq!(calls.so_far(), 1);
    app.advance(Duration::from_secs(40)).await;
    assert_eq!(calls.so_far(), 2);
    assert_eq!(app.dead_letters().len(), 1);
}

#[jitney::test]
async fn a_batch_is_at_most_of_its_size() {
    #[handler(batch(size = 2))]
    async fn count(
        batch: Batch<OrderPaid>,
        State(sizes): State<Arc<Mutex<Vec<usize>>>>,
    ) -> Each<Option<OrderShipped>> {
        sizes.lock().unwrap().push(batch.len());
        Each(batch.iter().map(|_| None).collect())
    }

    let sizes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let app =
        TestApp::run(|bus| App::new("shop", bus).handlers(handlers![count])).state(Arc::clone(&sizes)).await;
    let events: Vec<_> = (0..5).map(|invoice| paid("42", invoice)).collect();
    app.bus().publish_all(&events).await.unwrap();
    app.settled().await;
    let sizes = sizes.lock().unwrap();
    assert_eq!(sizes.iter().sum::<usize>(), 5);
    assert!(sizes.iter().all(|size| (1..=2).contains(size)), "{sizes:?}");
}
