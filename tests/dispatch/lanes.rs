//! Order per key, and nothing else in order.

use std::time::Duration;

use jitney::handler::HandlerSpec;
use jitney::middleware::RetryPolicy;
use jitney::prelude::*;
use jitney::transport::{Epoch, SourceEvent};
use jitney_testkit::TestApp;

use super::events::{Placed, message, placed};
use super::scripted::{Scripted, delivery};
use super::witness::{Gate, Log, Meter, attempts, shop, take, until, work};

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

#[jitney::test]
async fn an_event_that_waits_for_its_next_attempt_takes_no_place() {
    let (handled, tries) = (Handled::new(), Log::<()>::new());
    let handler = |order: Placed, State(handled): State<Handled>, State(tries): State<Log<()>>| async move {
        if order.order == "a" && tries.count(()) < 3 {
            return Err("not yet");
        }
        handled.add((order.order, order.number));
        Ok(())
    };
    let transport = Scripted::new();
    let spec = take().concurrency(1).retry(attempts(5));
    let app = shop(spec, handler)(transport.bus()).state(handled.clone()).state(tries);
    let app = app.spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0), placed("b", 1), placed("c", 2)]);
    until("all are settled", || transport.settled().len() == 3).await;
    assert_eq!(transport.settled(), [1, 2, 0]);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn lanes_that_have_waited_take_their_turn_and_no_more_run_than_the_group_allows() {
    let (meter, tries) = (Meter::default(), Log::<String>::new());
    let handler = |order: Placed, State(meter): State<Meter>, State(tries): State<Log<String>>| async move {
        let _inside = meter.enter();
        work(50).await;
        let first = !tries.all().contains(&order.order);
        tries.add(order.order);
        if first { Err("not yet") } else { Ok(()) }
    };
    let transport = Scripted::new();
    let app = shop(take().concurrency(3).retry(attempts(5)), handler)(transport.bus());
    let app = app.state(meter.clone()).state(tries.clone()).spawn().await.unwrap();
    let events: Vec<_> = (0..30).map(|key| placed(&format!("k{key}"), 0)).collect();
    transport.deliver_events(1, 0, &events);
    until("all are settled", || transport.settled().len() == 30).await;
    assert_eq!((meter.most(), tries.len()), (3, 60));
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn lanes_that_are_dropped_while_they_wait_leave_the_number_of_places_as_it_is() {
    let meter = Meter::default();
    let handler = |order: Placed, State(meter): State<Meter>| async move {
        let _inside = meter.enter();
        if order.number == 0 {
            return Err("never");
        }
        work(20).await;
        Ok(())
    };
    let transport = Scripted::new();
    let app = shop(take().concurrency(2).retry(attempts(1_000)), handler)(transport.bus());
    let app = app.state(meter.clone()).spawn().await.unwrap();
    let failing: Vec<_> = (0..10).map(|key| placed(&format!("k{key}"), 0)).collect();
    let slow: Vec<_> = (0..10).map(|key| placed(&format!("s{key}"), 1)).collect();
    transport.deliver_events(1, 0, &failing);
    transport.deliver_events(2, 100, &slow);
    work(30).await;
    transport.push(Ok(SourceEvent::Lost { epoch: Epoch(1) }));
    until("the others are settled", || transport.settled().len() == 10).await;
    transport.deliver_events(2, 200, &slow);
    until("and some more", || transport.settled().len() == 20).await;
    assert_eq!(meter.most(), 2);
    app.shutdown().await.unwrap();
}

#[jitney::test(seeds = 60)]
async fn under_faults_nothing_is_lost_and_keys_keep_their_order() {
    let (handled, tries) = (Handled::new(), Log::<()>::new());
    let handler = |order: Placed, State(handled): State<Handled>, State(tries): State<Log<()>>| async move {
        work(u64::from(order.number % 3)).await;
        if tries.count(()) % 5 == 4 {
            return Err("not yet");
        }
        handled.add((order.order, order.number));
        Ok(())
    };
    let spec = take().concurrency(3).retry(attempts(50));
    let app = TestApp::run(shop(spec, handler)).state(handled.clone()).state(tries).await;
    for number in 0..15 {
        for key in ["a", "b", "c"] {
            app.publish(&placed(key, number)).await;
        }
    }
    app.settled().await;
    app.assert_no_dead_letters();
    for key in ["a", "b", "c"] {
        let mut first = numbers_of(&handled, key);
        let mut seen = std::collections::BTreeSet::new();
        first.retain(|number| seen.insert(*number));
        assert_eq!(first, (0..15).collect::<Vec<_>>(), "{key}");
    }
}
