//! How often a handler is tried, with what pauses, and what ends the trying.

use std::fmt;
use std::time::Duration;

use jitney::dead_letter::Reason;
use jitney::handler::{Attempt, Context, FromContext, HandlerSpec, Reply};
use jitney::middleware::{Middleware, Next, RetryPolicy};
use jitney::prelude::*;
use jitney::publish::PublishLayer;
use jitney::transport::Delivery;
use jitney::{Env, Error};
use jitney_testkit::TestApp;
use tokio::time::Instant;

use super::events::{Placed, message, placed};
use super::scripted::{Scripted, Told, delivery};
use super::witness::{Log, advance, attempts, shop, take, until};

type Attempts = Log<u32>;

#[derive(Debug)]
enum PaymentError {
    Declined(u32),
    Busy,
}

impl fmt::Display for PaymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PaymentError::Declined(number) => write!(f, "the bank declines {number}"),
            PaymentError::Busy => f.write_str("the bank is busy"),
        }
    }
}

impl std::error::Error for PaymentError {}

/// What the one dead letter says under `name`.
fn said(app: &TestApp, name: &str) -> String {
    let letters = app.dead_letters();
    assert_eq!(letters.len(), 1);
    letters[0].header_str(name).unwrap().to_owned()
}

#[jitney::test]
async fn a_handler_is_tried_as_often_as_its_policy_says() {
    let log = Attempts::new();
    let fail = |_: Placed, Attempt(number): Attempt, State(log): State<Attempts>| async move {
        log.add(number);
        Err::<(), _>("no luck")
    };
    let app = TestApp::run(shop(take().retry(attempts(4)), fail)).state(log.clone()).await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    assert_eq!(log.all(), [1, 2, 3, 4]);
    assert_eq!(said(&app, "jitney-dead-attempts"), "4");
    assert_eq!(said(&app, "jitney-dead-reason"), "exhausted");
    assert_eq!(app.stats("shop.take").retried, 3);
}

#[jitney::test(seed = 3)]
async fn the_pauses_grow_and_stay_within_their_bounds() {
    let times: Log<Instant> = Log::new();
    let fail = |_: Placed, State(times): State<Log<Instant>>| async move {
        times.add(Env::system().instant());
        Err::<(), _>("no luck")
    };
    let policy = RetryPolicy::attempts(40).between(Duration::from_millis(100), Duration::from_secs(2));
    let app = TestApp::run(shop(take().retry(policy), fail)).state(times.clone()).await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    let times = times.all();
    assert_eq!(times.len(), 40);
    // A millisecond more: tokio's timers have no finer grain.
    let within = |bound: u64, pause: Duration| pause <= Duration::from_millis(bound + 1);
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(within(100, pauses[0]) && within(200, pauses[1]) && within(400, pauses[2]), "{pauses:?}");
    assert!(pauses.iter().all(|pause| within(2_000, *pause)), "{pauses:?}");
    assert!(pauses[5..].iter().any(|pause| *pause > Duration::from_secs(1)), "they grow: {pauses:?}");
}

#[handler(retry(attempts = 5, from = "1ms", to = "1ms", permanent = PaymentError::Declined(_)))]
async fn pay(order: Placed, State(log): State<Attempts>) -> Result<(), PaymentError> {
    log.add(order.number);
    Err(if order.order == "declined" { PaymentError::Declined(order.number) } else { PaymentError::Busy })
}

#[jitney::test]
async fn an_error_that_matches_the_pattern_is_not_tried_again() {
    let log = Attempts::new();
    let app = TestApp::run(|bus| App::new("shop", bus).handlers(handlers![pay])).state(log.clone()).await;
    app.publish(&placed("declined", 7)).await;
    app.settled().await;
    assert_eq!(log.all(), [7]);
    assert_eq!(said(&app, "jitney-dead-reason"), "permanent");
    assert_eq!(said(&app, "jitney-dead-error"), "the bank declines 7");
}

#[jitney::test]
async fn an_error_that_does_not_match_the_pattern_is_tried_again() {
    let log = Attempts::new();
    let app = TestApp::run(|bus| App::new("shop", bus).handlers(handlers![pay])).state(log.clone()).await;
    app.publish(&placed("busy", 7)).await;
    app.settled().await;
    assert_eq!(log.len(), 5);
    assert_eq!(said(&app, "jitney-dead-reason"), "exhausted");
}

#[jitney::test]
async fn a_permanent_error_is_not_tried_again() {
    let log = Attempts::new();
    let fail = |order: Placed, State(log): State<Attempts>| async move {
        log.add(order.number);
        Err::<(), _>(HandlerError::permanent("never"))
    };
    let app = TestApp::run(shop(take(), fail)).state(log.clone()).await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    assert_eq!(log.len(), 1);
    assert_eq!(said(&app, "jitney-dead-reason"), "permanent");
    assert_eq!(said(&app, "jitney-dead-attempts"), "1");
}

#[jitney::test]
async fn a_time_limit_is_an_error_that_is_tried_again() {
    let log = Attempts::new();
    let hang = |order: Placed, State(log): State<Attempts>| async move {
        log.add(order.number);
        advance(Duration::from_secs(3600)).await;
    };
    let spec = take().timeout(Duration::from_secs(2)).retry(attempts(2));
    let app = TestApp::run(shop(spec, hang)).state(log.clone()).await;
    let before = app.env().instant();
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    let took = app.env().instant() - before;
    assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(6), "{took:?}");
    assert_eq!(log.len(), 2);
    assert_eq!(said(&app, "jitney-dead-reason"), "exhausted");
    let error = said(&app, "jitney-dead-error");
    assert!(error.contains("`take`") && error.contains("time limit of 2s"), "{error}");
}

#[jitney::test]
async fn a_time_limit_of_forever_is_one() {
    let app = TestApp::run(shop(take().timeout(Duration::MAX), |_: Placed| async {})).await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    assert_eq!(app.stats("shop.take").handled, 1);
}

/// An extractor that panics.
struct Trap;

impl FromContext for Trap {
    async fn from_context(_: &Context<'_>) -> Result<Self, HandlerError> {
        panic!("the trap snaps")
    }
}

/// A middleware that panics.
struct TrapLayer;

#[async_trait::async_trait]
impl Middleware for TrapLayer {
    async fn handle<'a>(&'a self, _: Context<'a>, _: Next<'a>) -> Reply {
        panic!("the trap snaps")
    }
}

/// A layer of the bus that panics on what comes in.
#[derive(Debug)]
struct TrapOnTheWay;

#[async_trait::async_trait]
impl PublishLayer for TrapOnTheWay {
    async fn incoming(&self, _: &mut RawEvent) -> Result<(), Error> {
        panic!("the trap snaps")
    }
}

async fn ends_in_a_dead_letter(app: TestApp) {
    app.publish(&placed("a", 0)).await;
    app.publish(&placed("b", 0)).await;
    app.settled().await;
    let letters = app.dead_letters();
    assert_eq!(letters.len(), 2, "the group goes on");
    for letter in letters {
        assert_eq!(letter.header_str("jitney-dead-reason"), Some("exhausted"));
        assert_eq!(letter.header_str("jitney-dead-attempts"), Some("2"));
        assert!(letter.header_str("jitney-dead-error").unwrap().contains("panicked: the trap snaps"));
    }
    assert!(app.running().health().is_healthy());
    app.shutdown().await;
}

#[jitney::test]
async fn a_panic_in_a_handler_is_an_error_that_is_tried_again() {
    let trap = |_: Placed| async {
        if true {
            panic!("the trap snaps");
        }
    };
    ends_in_a_dead_letter(TestApp::run(shop(take().retry(attempts(2)), trap)).await).await;
}

#[jitney::test]
async fn a_panic_in_an_extractor_is_an_error_that_is_tried_again() {
    let handler = |_: Placed, _: Trap| async {};
    ends_in_a_dead_letter(TestApp::run(shop(take().retry(attempts(2)), handler)).await).await;
}

#[jitney::test]
async fn a_panic_in_a_middleware_is_an_error_that_is_tried_again() {
    let spec = take().retry(attempts(2)).layer(TrapLayer);
    ends_in_a_dead_letter(TestApp::run(shop(spec, |_: Placed| async {})).await).await;
}

#[jitney::test]
async fn a_panic_in_a_layer_of_the_bus_or_in_a_natural_key_does_not_end_the_group() {
    let transport = Scripted::new();
    let bus = Bus::builder(transport.clone()).env(Env::seeded(1)).layer(TrapOnTheWay).build();
    let app = shop(take().retry(attempts(2)), |_: Placed| async {})(bus).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it is a dead letter", || transport.dead_letters().len() == 1).await;
    assert!(transport.dead_letters()[0].failure.error.contains("panicked: the trap snaps"));
    assert!(app.health().is_healthy());
    app.shutdown().await.unwrap();

    let transport = Scripted::new();
    let spec = take().idempotent_by(|order: &Placed| {
        assert!(order.number > 0, "the trap snaps");
        order.number
    });
    let app = shop(spec, |_: Placed| async {})(transport.bus()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0), placed("a", 1)]);
    until("both are settled", || transport.settled().len() == 2).await;
    assert!(transport.dead_letters()[0].failure.error.contains("panicked: the trap snaps"));
    assert!(transport.was_told(&Told::Ack(1)) && app.health().is_healthy());
    app.shutdown().await.unwrap();
}

#[jitney::test(semantics = "rabbitmq")]
async fn delayed_retries_are_counted_across_deliveries_and_let_later_events_overtake() {
    let log: Log<(u32, u32)> = Log::new();
    let fail = |order: Placed, Attempt(attempt): Attempt, State(log): State<Log<(u32, u32)>>| async move {
        log.add((order.number, attempt));
        if order.number == 0 { Err("no luck") } else { Ok(()) }
    };
    let spec = take().retry(attempts(3).delayed());
    let app = TestApp::run(shop(spec, fail)).state(log.clone()).await;
    app.publish(&placed("a", 0)).await;
    app.publish(&placed("a", 1)).await;
    app.settled().await;
    assert_eq!(log.all(), [(0, 1), (1, 1), (0, 2), (0, 3)]);
    assert_eq!(said(&app, "jitney-dead-attempts"), "3");
    assert_eq!(said(&app, "jitney-dead-reason"), "exhausted");
}

#[jitney::test]
async fn delayed_retries_back_off_across_deliveries() {
    let transport = Scripted::with(|can| can.delayed_retry = true);
    let policy =
        RetryPolicy::attempts(50).between(Duration::from_millis(10), Duration::from_secs(10)).delayed();
    let fail = |_: Placed| async { Err::<(), _>("no luck") };
    let app = shop(take().retry(policy), fail)(transport.bus()).spawn().await.unwrap();
    let later = |number: u64| {
        let message = message(&format!("e-{number}"), &placed(&number.to_string(), 0));
        Delivery { attempt: 12, ..delivery(1, number, message) }
    };
    transport.deliver((0..20).map(later));
    until("all are handed back", || transport.settled().len() == 20).await;
    let long = |told: &Told| matches!(told, Told::Retry(_, after) if *after > Duration::from_secs(1));
    assert!(transport.told().iter().any(long), "the twelfth pause is longer: {:?}", transport.told());
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_broker_may_have_counted_as_far_as_it_can() {
    let transport = Scripted::with(|can| can.delayed_retry = true);
    let fail = |_: Placed| async { Err::<(), _>("no luck") };
    let app = shop(take().retry(attempts(3).delayed()), fail)(transport.bus()).spawn().await.unwrap();
    let first = delivery(1, 0, message("e-0", &placed("a", 0)));
    transport.deliver([Delivery { attempt: u32::MAX, ..first }]);
    until("it is a dead letter", || transport.dead_letters().len() == 1).await;
    let failure = transport.dead_letters().remove(0).failure;
    assert_eq!((failure.reason, failure.attempts), (Reason::Exhausted, u32::MAX));
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn the_default_policy_of_the_application_holds_where_a_handler_says_nothing() {
    let log = Attempts::new();
    let fail = |order: Placed, State(log): State<Attempts>| async move {
        log.add(order.number);
        Err::<(), _>("no luck")
    };
    let app = TestApp::run(shop(HandlerSpec::new("take"), fail))
        .state(log.clone())
        .with(|app| app.retry(RetryPolicy::never()))
        .await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    assert_eq!(log.len(), 1);
}
