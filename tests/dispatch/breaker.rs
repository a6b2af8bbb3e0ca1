//! A handler that keeps failing is left alone, and its events wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jitney::Env;
use jitney::dispatch::Limits;
use jitney::handler::HandlerSpec;
use jitney::middleware::{BreakerPolicy, BreakerState, RetryPolicy};
use jitney::prelude::*;
use jitney_testkit::TestApp;
use tokio::time::Instant;

use super::events::{Placed, Shipped, placed, shipped};
use super::scripted::Scripted;
use super::witness::{Log, advance, shop, take, until};

/// What handlers depend on, and when they asked it.
#[derive(Debug, Clone)]
struct Bank {
    down: Arc<AtomicBool>,
    asked: Log<Instant>,
}

impl Bank {
    fn down() -> Self {
        Bank { down: Arc::new(AtomicBool::new(true)), asked: Log::new() }
    }

    fn comes_back(&self) {
        self.down.store(false, Ordering::SeqCst);
    }

    fn ask(&self) -> Result<(), String> {
        self.asked.add(Env::system().instant());
        if self.down.load(Ordering::SeqCst) { Err("the bank is down".to_owned()) } else { Ok(()) }
    }
}

async fn pay(_: Placed, State(bank): State<Bank>) -> Result<(), String> {
    bank.ask()
}

/// Opens behind 3 failures, for 10 s; no event has more than 4 attempts.
fn guarded() -> HandlerSpec {
    let retry = RetryPolicy::attempts(4).between(Duration::from_millis(10), Duration::from_millis(10));
    take().retry(retry).breaker(BreakerPolicy { failures: 3, pause: Duration::from_secs(10) })
}

#[jitney::test]
async fn an_open_breaker_lets_one_event_through_at_a_time_and_buries_none() {
    let bank = Bank::down();
    let app = TestApp::run(shop(guarded(), pay)).state(bank.clone()).await;
    for key in 0..20 {
        app.publish(&placed(&key.to_string(), 0)).await;
    }
    app.advance(Duration::from_secs(1000)).await;
    app.assert_no_dead_letters();
    assert_eq!(app.stats("shop.take").handled, 0);
    let asked = bank.asked.all();
    // Behind those that ran when it opened, one probe for each pause.
    let opened = asked[2];
    let probes: Vec<_> = asked.iter().filter(|time| **time > opened).collect();
    assert!((50..=100).contains(&probes.len()), "{} probes in 1,000 s", probes.len());
    assert!(
        probes.windows(2).all(|pair| *pair[1] - *pair[0] >= Duration::from_secs(10)),
        "one probe a pause"
    );
    bank.comes_back();
    app.settled().await;
    app.assert_no_dead_letters();
    assert_eq!(app.stats("shop.take").handled, 20);
}

#[jitney::test]
async fn health_tells_of_an_open_breaker() {
    let bank = Bank::down();
    let app = TestApp::run(shop(guarded(), pay)).state(bank.clone()).await;
    assert!(app.running().health().is_healthy());
    app.publish(&placed("a", 0)).await;
    app.advance(Duration::from_secs(5)).await;
    let health = app.running().health();
    assert!(!health.is_healthy());
    assert_eq!(health.groups[0].breakers["take"], BreakerState::Open);
    bank.comes_back();
    app.settled().await;
    assert!(app.running().health().is_healthy());
}

#[jitney::test]
async fn the_subscription_pauses_while_its_budget_is_full_of_waiting_events_and_goes_on_after() {
    let (bank, transport) = (Bank::down(), Scripted::new());
    let app = shop(guarded(), pay)(transport.bus())
        .state(bank.clone())
        .limits(Limits { events: 6, ..Limits::default() });
    let app = app.spawn().await.unwrap();
    let events: Vec<_> = (0..50).map(|key| placed(&key.to_string(), 0)).collect();
    transport.deliver_events(1, 0, &events);
    advance(Duration::from_secs(600)).await;
    assert!(transport.settled().is_empty());
    assert_eq!(transport.most_unsettled(), 6);
    bank.comes_back();
    until("all are settled", || transport.settled().len() == 50).await;
    assert!(transport.dead_letters().is_empty());
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_open_breaker_holds_the_lanes_of_its_own_handler() {
    let (bank, log) = (Bank::down(), Log::<u32>::new());
    let other = |order: Shipped, State(log): State<Log<u32>>| async move { log.add(order.number) };
    let handlers = move || {
        HandlerSet::new()
            .handler(guarded().group("g"), pay)
            .handler(HandlerSpec::new("other").group("g"), other)
    };
    let app = TestApp::run(move |bus| App::new("shop", bus).handlers(handlers()))
        .state(bank.clone())
        .state(log.clone())
        .await;
    // More than there are places.
    for number in 0..50 {
        app.publish(&placed(&format!("p{number}"), number)).await;
    }
    app.advance(Duration::from_secs(5)).await;
    app.publish(&shipped("s", 7)).await;
    app.advance(Duration::from_secs(1)).await;
    assert_eq!(log.all(), [7], "the other handler goes on");
    bank.comes_back();
    app.settled().await;
}

#[jitney::test]
async fn permanent_errors_say_nothing_against_what_the_handler_depends_on() {
    let fail = |_: Placed| async { Err::<(), _>(HandlerError::permanent("a bad event")) };
    let app = TestApp::run(shop(guarded(), fail)).await;
    for number in 0..10 {
        app.publish(&placed("a", number)).await;
    }
    app.settled().await;
    assert_eq!(app.dead_letters().len(), 10);
    assert!(app.running().health().is_healthy());
}
