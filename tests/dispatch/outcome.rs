//! Outcomes that a handler states itself.

use std::time::Duration;

use jitney::Env;
use jitney::dead_letter::Reason;
use jitney::handler::Attempt;
use jitney::prelude::*;
use jitney_testkit::TestApp;
use tokio::time::Instant;

use super::events::{Placed, Shipped, placed, shipped};
use super::scripted::{Scripted, Told};
use super::witness::{Log, attempts, shop, take, until};

#[jitney::test]
async fn an_ack_settles_and_what_is_to_be_published_with_it_is() {
    let handler =
        |order: Placed| async move { Outcome::ack().and_publish(shipped(&order.order, order.number)) };
    let app = TestApp::run(shop(take(), handler)).await;
    app.publish(&placed("a", 7)).await;
    app.settled().await;
    app.assert_published::<Shipped>(|shipped| shipped.number == 7);
    assert_eq!(app.stats("shop.take").handled, 1);
}

#[jitney::test]
async fn retry_after_hands_the_event_in_again_behind_that_time_and_counts_as_no_failure() {
    let times: Log<Instant> = Log::new();
    let handler = |_: Placed, State(times): State<Log<Instant>>| async move {
        times.add(Env::system().instant());
        match times.len() {
            ..8 => Outcome::retry_after(Duration::from_secs(60)),
            _ => Outcome::ack(),
        }
    };
    let app = TestApp::run(shop(take().retry(attempts(1)), handler)).state(times.clone()).await;
    app.publish(&placed("a", 7)).await;
    app.settled().await;
    app.assert_no_dead_letters();
    let times = times.all();
    assert_eq!(times.len(), 8);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_secs(60)));
    assert_eq!(app.stats("shop.take").handled, 1);
}

#[jitney::test]
async fn retry_after_keeps_the_order_of_the_key() {
    let log: Log<u32> = Log::new();
    let handler = |order: Placed, Attempt(attempt): Attempt, State(log): State<Log<u32>>| async move {
        if order.number == 0 && attempt == 1 {
            return Outcome::retry_after(Duration::from_secs(60));
        }
        log.add(order.number);
        Outcome::ack()
    };
    let app = TestApp::run(shop(take(), handler)).state(log.clone()).await;
    app.publish(&placed("a", 0)).await;
    app.publish(&placed("a", 1)).await;
    app.settled().await;
    assert_eq!(log.all(), [0, 1]);
}

#[jitney::test]
async fn with_delayed_retries_the_broker_holds_the_event_back() {
    let transport = Scripted::with(|can| can.delayed_retry = true);
    let after = Duration::from_secs(60);
    let handler = move |_: Placed| async move { Outcome::retry_after(after) };
    let app = shop(take().retry(attempts(3).delayed()), handler)(transport.bus()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it is handed back", || transport.told() == [Told::Retry(0, after)]).await;
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_dead_letter_is_one_at_once_for_the_reason_given_and_publishes_nothing() {
    let transport = Scripted::new();
    let handler = |_: Placed| async { Outcome::dead_letter("no such order").and_publish(shipped("a", 0)) };
    let app = shop(take(), handler)(transport.bus()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it is a dead letter", || transport.dead_letters().len() == 1).await;
    let failure = transport.dead_letters().remove(0).failure;
    assert_eq!(
        (failure.reason, failure.error.as_str(), failure.attempts),
        (Reason::Requested, "no such order", 1)
    );
    assert_eq!(failure.handler.as_deref(), Some("take"));
    assert!(transport.sent().is_empty());
    app.shutdown().await.unwrap();
}
