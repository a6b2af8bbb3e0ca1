//! Inputs from a bus, with copies and in disorder.

use std::time::Duration;

use jitney::handler::HandlerSpec;
use jitney::outbox::Relay;
use jitney::prelude::*;
use jitney::sourcing::process::{MemoryProcessStore, ProcessRunner};
use jitney_testkit::TestApp;

use crate::checks::placed;
use crate::saga::*;

#[handler(group = "stock")]
async fn reserve(command: ReserveStock) -> StockReserved {
    StockReserved { order: command.order }
}

#[handler(group = "payment")]
async fn pay(command: TakePayment) -> PaymentTaken {
    PaymentTaken { order: command.order }
}

#[handler(group = "carrier")]
async fn ship(command: ShipOrder) -> OrderShipped {
    OrderShipped { order: command.order }
}

#[jitney::test(semantics = "eventbridge", seeds = 20)]
async fn orders_go_their_way_under_copies_and_disorder() {
    let store = MemoryProcessStore::new();
    let runner = ProcessRunner::<OrderFlow>::new(store.clone());
    let flow = runner.clone();
    let app = TestApp::run(move |bus| {
        App::new("orders", bus)
            .handlers(handlers![reserve, pay, ship])
            .handlers(flow.handlers(HandlerSpec::new("order_flow")))
    })
    .await;
    let orders = ["o-1", "o-2", "o-3"];
    for order in orders {
        app.publish(&placed(order)).await;
    }
    let relay = Relay::new(store.outbox().clone(), app.bus());
    // Each round is a step of all orders; a bus with faults needs some more.
    for _ in 0..200 {
        app.settled().await;
        // What was not taken is sent again in the next round.
        let _ = relay.drain().await;
        if runner.counts().await.unwrap().open == 0 {
            break;
        }
        app.advance(Duration::from_millis(100)).await;
    }
    app.settled().await;
    for order in orders {
        let view = runner.look(order).await.unwrap().expect("it has begun");
        let steps: Vec<_> = view.steps.iter().map(|step| &*step.what).collect();
        assert_eq!(steps, ["OrderPlaced", "StockReserved", "PaymentTaken", "OrderShipped"], "{order}");
        assert!(view.completed);
    }
}

#[derive(Debug, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Tally", id = tally, type = "Counted")]
struct Unreadable {
    tally: String,
}

#[jitney::test]
async fn what_cannot_be_handled_is_a_dead_letter_at_once() {
    use crate::tally::{Tally, What, counted};
    let runner = ProcessRunner::<Tally>::new(MemoryProcessStore::new());
    let flow = runner.clone();
    let app =
        TestApp::run(move |bus| App::new("tallies", bus).handlers(flow.handlers(HandlerSpec::new("tally"))))
            .await;
    app.publish(&counted("t", What::One)).await;
    app.publish(&counted("t", What::Fail)).await;
    app.publish(&Unreadable { tally: "t".to_owned() }).await;
    app.settled().await;
    let letters = app.dead_letters();
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert_eq!(runner.look("t").await.unwrap().unwrap().state.count, 1);
}
