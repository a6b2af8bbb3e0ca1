//! What follows from what, and who waits for whom.

use std::path::Path;

use jitney::memory::{Memory, Semantics};
use jitney::prelude::*;
use jitney::{Env, Id};
use jitney_testkit::{TestApp, TestConfig, run_test};

use crate::app::{Views, services};
use crate::events::{OrderCreated, OrderProgress, PlaceOrder};
use crate::input::read_history;
use crate::report::Report;
use crate::{DATA, Run, catalogue, first, follow};

fn history() -> Vec<crate::events::OrderCreatedV1> {
    read_history(&Path::new(DATA).join("history-v1.jsonl")).unwrap()
}

#[test]
fn events_of_version_1_are_upcast() {
    let ran = Run { history: history(), ..Run::new(Semantics::Kafka) }.on("");
    assert_eq!((ran.report.orders, ran.report.lines), (3, 8));
    assert_eq!((&*ran.report.gross, &*ran.report.net), ("4116.40", "3856.00"));
    assert_eq!(ran.report.dead_lettered, 0);
    assert_eq!(OrderCreated::from(history().remove(0)).currency, "USD");
}

#[test]
fn an_order_can_be_followed_from_its_command_to_its_end() {
    let ran = Run { follow: Some("10248".to_owned()), ..Run::new(Semantics::Kafka) }.on(&first(5));
    let events = ran.views.audit.seen().followed.clone();
    let correlations: std::collections::BTreeSet<Id> =
        events.iter().map(|head| head.correlation_id().clone()).collect();
    assert_eq!(correlations.len(), 1, "one request, one chain");
    let tree = follow::tree("10248", &events);
    let types: Vec<_> =
        tree.lines().skip(1).map(|line| line.split("  ").find(|text| !text.is_empty())).collect();
    let expected =
        ["PlaceOrder", "OrderCreated", "StockReserved", "PaymentTaken", "OrderConfirmed", "OrderShipped"];
    for (line, event_type) in types.iter().zip(expected) {
        assert!(line.unwrap().starts_with(event_type), "{tree}");
    }
    for (depth, line) in tree.lines().enumerate() {
        assert_eq!(
            line.len() - line.trim_start().len(),
            2 * depth,
            "each follows from the one before:\n{tree}"
        );
    }
}

#[test]
fn without_the_read_model_there_are_no_figures() {
    let config = TestConfig { name: "no_read_model", semantics: None, seeds: 1, seed: None };
    run_test(config, || async {
        let views = Views::default();
        let inner = views.clone();
        let app = TestApp::run(move |bus| services(bus, &inner)).await;
        let catalogue = catalogue();
        for line in first(10).lines() {
            app.publish(&catalogue.order(line).unwrap()).await;
        }
        app.settled().await;
        app.assert_published_times::<OrderCreated>(10);
        let report = Report::new(&views, &app.running().stats());
        assert_eq!((report.orders, &*report.net, report.confirmed), (0, "0.00", 0));
    });
}

#[test]
fn a_declined_order_gives_its_goods_back_before_it_is_cancelled() {
    let config = TestConfig { name: "declined", semantics: Some("eventbridge"), seeds: 20, seed: None };
    run_test(config, || async {
        let app = TestApp::run(|bus| services(bus, &Views::default())).await;
        let order = r#"{"orderId":"1","customerId":"A","orderedAt":"1996-07-04","items":
            [{"productId":"11","quantity":1000,"price":10.01,"discount":0}]}"#;
        let order: PlaceOrder = catalogue().order(order).unwrap();
        app.publish(&order).await;
        app.settled().await;
        app.assert_published::<OrderProgress>(|progress| {
            matches!(&**progress, OrderProgress::Cancelled { reason, .. }
                if reason == "10010.00 is above the limit of 10000.00")
        });
        let released = app.published::<crate::events::StockReleased>();
        let cancelled = app.published::<OrderProgress>();
        assert_eq!(cancelled.len(), 1);
        assert_eq!(cancelled[0].metadata().causation_id.as_ref(), Some(released[0].event_id()));
    });
}

/// The gateway takes 5 ms a message and 64 at once, so 500 orders keep it busy for 80 ms of virtual time; the orders
/// themselves need none.
#[tokio::test(start_paused = true)]
async fn a_slow_notification_does_not_slow_the_rest() {
    let (env, views) = (Env::seeded(1), Views::default());
    let bus = Bus::builder(Memory::builder().env(env.clone()).build()).env(env.clone()).build();
    let running = crate::app::app(bus, &views).spawn().await.unwrap();
    let catalogue = catalogue();
    let orders: Vec<_> = first(500).lines().map(|line| catalogue.order(line).unwrap()).collect();
    running.bus().publish_all(&orders).await.unwrap();
    let mut tally = views.summary.tally();
    tally.wait_for(|tally| tally.finished == 500).await.unwrap();
    assert!(
        views.notified.sent() < 500,
        "the orders are finished while most customers still wait for their message"
    );
    running.shutdown().await.unwrap();
}
