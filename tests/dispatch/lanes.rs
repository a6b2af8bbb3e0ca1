//! Order per key, and nothing else in order.

use std::time::Duration;

use jitney::handler::HandlerSpec;
use jitney::middleware::RetryPolicy;
use jitney::prelude::*;
use jitney_testkit::TestApp;

use super::events::{Placed, message, placed};
use super::scripted::{Scripted, delivery};
use super::witness::{Gate, Log, Meter, until, work};

type Handled = Log<(String, u32)>;

fn numbers_of(handled: &Handled, order: &str) -> Vec<u32> {
    let all = handled.all();
    all.iter().filter(|(of, _)| of == order).map(|(_, number)| *number).collect()
}

#[jitney::test]
async fn a_key_keeps_its_order_while_an_event_is_retried_and_other_keys_go_on() {
    let (handled, attempts) = (Handled::new(), Log::new());
    let log = handled.clone();
    let handler = move |order: Placed| {
        let (log, attempts) = (log.clone(), attempts.clone());
        async move {
            if order.order == "a" && order.number == 0 && attempts.count(()) < 3 {
                return Err("not yet");
            }
            log.add((order.order, order.number));
            Ok(())
        }
    };
    let retry = RetryPolicy::attempts(5).between(Duration::from_secs(1), Duration::from_secs(9));
    let spec = HandlerSpec::new("take").retry(retry);
    let app =
        TestApp::run(|bus| App::new("shop", bus).handlers(HandlerSet::new().handler(spec, handler))).await;
    for number in 0..5 {
        app.publish(&placed("a", number)).await;
        app.publish(&placed("b", number)).await;
    }
    app.settled().await;
    assert_eq!(numbers_of(&handled, "a"), [0, 1, 2, 3, 4]);
    assert_eq!(numbers_of(&handled, "b"), [0, 1, 2, 3, 4]);
    let first = |order: &str| handled.all().iter().position(|(of, _)| of == order);
    assert!(first("b") < first("a"), "b waited for a: {:?}", handled.all());
    assert_eq!(handled.all()[4], ("b".to_owned(), 4), "all of b is done while a is retried");
}

#[jitney::test]
async fn no_more_lanes_run_than_the_group_allows() {
    let meter = Meter::default();
    let inside = meter.clone();
    let handler = move |_: Placed| {
        let inside = inside.clone();
        async move {
            let _inside = inside.enter();
            work(10).await;
        }
    };
    let spec = HandlerSpec::new("take").concurrency(3);
    let app =
        TestApp::run(|bus| App::new("shop", bus).handlers(HandlerSet::new().handler(spec, handler))).await;
    for key in 0..20 {
        app.publish(&placed(&key.to_string(), 0)).await;
    }
    app.settled().await;
    assert_eq!(meter.most(), 3);
    assert_eq!(app.stats("shop.take").handled, 20);
}

#[jitney::test]
async fn events_of_one_key_never_run_beside_each_other() {
    let (meter, handled) = (Meter::default(), Handled::new());
    let (inside, log) = (meter.clone(), handled.clone());
    let handler = move |order: Placed| {
        let (inside, log) = (inside.clone(), log.clone());
        async move {
            let _inside = inside.enter();
            work(u64::from(10 - order.number)).await;
            log.add((order.order, order.number));
        }
    };
    let app = TestApp::run(|bus| {
        App::new("shop", bus).handlers(HandlerSet::new().handler(HandlerSpec::new("take"), handler))
    })
    .await;
    for number in 0..10 {
        app.publish(&placed("a", number)).await;
    }
    app.settled().await;
    assert_eq!(meter.most(), 1);
    assert_eq!(numbers_of(&handled, "a"), (0..10).collect::<Vec<_>>());
}

#[jitney::test]
async fn a_lane_with_much_to_do_lets_others_have_their_turn() {
    let handled = Handled::new();
    let log = handled.clone();
    let handler = move |order: Placed| {
        let log = log.clone();
        async move {
            work(1).await;
            log.add((order.order, order.number));
        }
    };
    let transport = Scripted::new();
    let spec = HandlerSpec::new("take").concurrency(1);
    let app = App::new("shop", transport.bus()).handlers(HandlerSet::new().handler(spec, handler));
    let app = app.spawn().await.unwrap();
    let mut events: Vec<_> = (0..20).map(|number| placed("much", number)).collect();
    events.push(placed("little", 0));
    transport.deliver_events(1, 0, &events);
    until("all are handled", || handled.len() == 21).await;
    let turn = handled.all().iter().position(|(order, _)| order == "little");
    assert_eq!(turn, Some(1), "the other lane comes behind one event: {:?}", handled.all());
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn events_without_a_key_run_beside_each_other() {
    let (meter, gate) = (Meter::default(), Gate::closed());
    let (inside, pass) = (meter.clone(), gate.clone());
    let handler = move |_: Placed| {
        let (inside, pass) = (inside.clone(), pass.clone());
        async move {
            let _inside = inside.enter();
            pass.pass().await;
        }
    };
    let transport = Scripted::new();
    let spec = HandlerSpec::new("take").concurrency(4);
    let app = App::new("shop", transport.bus()).handlers(HandlerSet::new().handler(spec, handler));
    let app = app.spawn().await.unwrap();
    let unkeyed = |number: u64| {
        let mut message = message(&format!("e-{number}"), &placed("a", 0));
        message.key = None;
        delivery(1, number, message)
    };
    transport.deliver((0..6).map(unkeyed));
    until("four run", || meter.now() == 4).await;
    gate.let_through(6);
    until("all are settled", || transport.settled().len() == 6).await;
    assert_eq!(meter.most(), 4);
    app.shutdown().await.unwrap();
}
