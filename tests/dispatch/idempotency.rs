//! Handled once, by id or by natural key.

use std::sync::Arc;
use std::time::Duration;

use jitney::dispatch::Limits;
use jitney::handler::HandlerSpec;
use jitney::prelude::*;
use jitney::processed::{MemoryProcessedEvents, ProcessedEvents, ProcessedKey};
use jitney::{Env, Error, ErrorKind};
use jitney_testkit::TestApp;

use super::events::{Placed, message, placed};
use super::scripted::{Scripted, delivery};
use super::witness::{Log, attempts, shop, take, until, work};

type Numbers = Log<u32>;

async fn note(order: Placed, State(log): State<Numbers>) {
    log.add(order.number);
}

#[jitney::test]
async fn an_event_that_comes_again_is_settled_and_not_handled_again() {
    let (transport, log) = (Scripted::new(), Numbers::new());
    let app = shop(take().idempotent(), note)(transport.bus()).state(log.clone()).spawn().await.unwrap();
    let same = message("e-0", &placed("a", 7));
    transport.deliver([delivery(1, 0, same.clone()), delivery(1, 1, same.clone())]);
    until("both are settled", || transport.settled() == [0, 1]).await;
    transport.deliver([delivery(2, 0, same)]);
    until("it is settled again", || transport.settled().len() == 3).await;
    assert_eq!(log.all(), [7]);
    assert_eq!(app.stats()["shop.take"].duplicates, 2);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn without_being_asked_for_an_event_that_comes_again_is_handled_again() {
    let (transport, log) = (Scripted::new(), Numbers::new());
    let app = shop(take(), note)(transport.bus()).state(log.clone()).spawn().await.unwrap();
    let same = message("e-0", &placed("a", 7));
    transport.deliver([delivery(1, 0, same.clone()), delivery(1, 1, same)]);
    until("both are settled", || transport.settled().len() == 2).await;
    assert_eq!(log.all(), [7, 7]);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_event_that_failed_was_not_handled() {
    let (transport, log) = (Scripted::new(), Numbers::new());
    let fail = |order: Placed, State(log): State<Numbers>| async move {
        log.add(order.number);
        Err::<(), _>(HandlerError::permanent("no"))
    };
    let app = shop(take().idempotent(), fail)(transport.bus()).state(log.clone()).spawn().await.unwrap();
    let same = message("e-0", &placed("a", 7));
    transport.deliver([delivery(1, 0, same.clone()), delivery(1, 1, same)]);
    until("both are settled", || transport.settled().len() == 2).await;
    assert_eq!(log.len(), 2);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn groups_remember_for_themselves() {
    let log = Numbers::new();
    let handlers = || {
        HandlerSet::new()
            .handler(HandlerSpec::new("one").idempotent(), note)
            .handler(HandlerSpec::new("two").idempotent(), note)
    };
    let app = TestApp::run(move |bus| App::new("shop", bus).handlers(handlers())).state(log.clone()).await;
    app.publish(&placed("a", 7)).await;
    app.settled().await;
    assert_eq!(log.all(), [7, 7]);
}

#[jitney::test]
async fn two_events_of_one_natural_key_in_different_lanes_at_the_same_time_run_once() {
    let log = Numbers::new();
    let handler = |order: Placed, State(log): State<Numbers>| async move {
        work(10).await;
        log.add(order.number);
    };
    let spec = take().idempotent_by(|order: &Placed| order.number);
    let app = TestApp::run(shop(spec, handler)).state(log.clone()).await;
    for order in ["a", "b", "c", "d"] {
        app.publish(&placed(order, 7)).await;
        app.publish(&placed(order, 8)).await;
    }
    app.settled().await;
    let mut handled = log.all();
    handled.sort_unstable();
    assert_eq!(handled, [7, 8]);
    assert_eq!(app.stats("shop.take").duplicates, 6);
}

#[jitney::test]
async fn an_event_that_waits_for_the_key_of_another_one_is_handled_where_that_one_fails() {
    let log = Numbers::new();
    let handler = |order: Placed, State(log): State<Numbers>| async move {
        work(10).await;
        log.add(order.number);
        if log.len() == 1 { Err(HandlerError::permanent("no")) } else { Ok(()) }
    };
    let spec = take().idempotent_by(|order: &Placed| order.number);
    let app = TestApp::run(shop(spec, handler)).state(log.clone()).await;
    app.publish(&placed("a", 7)).await;
    app.publish(&placed("b", 7)).await;
    app.settled().await;
    assert_eq!(log.all(), [7, 7]);
    assert_eq!(app.stats("shop.take").handled, 1);
}

#[jitney::test]
async fn events_of_one_key_in_one_batch_do_not_wait_for_each_other_for_ever() {
    let (transport, log) = (Scripted::new(), Numbers::new());
    let handler = |batch: Batch<Placed>, State(log): State<Numbers>| async move {
        batch.iter().for_each(|order| log.add(order.number));
    };
    let spec = take().idempotent_by(|order: &Placed| order.number);
    let app = shop(spec, handler)(transport.bus()).state(log.clone()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 7), placed("b", 8), placed("c", 7), placed("a", 7)]);
    until("all are settled", || transport.settled().len() == 4).await;
    assert_eq!(log.all(), [7, 8]);
    assert_eq!(app.stats()["shop.take"].duplicates, 2);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn batches_that_want_each_others_keys_do_not_wait_for_each_other_for_ever() {
    let (transport, log) = (Scripted::new(), Numbers::new());
    let handler = |batch: Batch<Placed>, State(log): State<Numbers>| async move {
        work(10).await;
        batch.iter().for_each(|order| log.add(order.number));
    };
    let spec = take().idempotent_by(|order: &Placed| order.number);
    let app = shop(spec, handler)(transport.bus()).state(log.clone()).spawn().await.unwrap();
    let of = |partition: u32, number: u64, key: u32| {
        let message = message(&format!("e-{number}"), &placed("a", key));
        jitney::transport::Delivery { partition, ..delivery(1, number, message) }
    };
    transport.deliver([of(0, 0, 7), of(0, 1, 8), of(1, 2, 8), of(1, 3, 7)]);
    until("all are settled", || transport.settled().len() == 4).await;
    let mut handled = log.all();
    handled.sort_unstable();
    assert_eq!(handled, [7, 8]);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_is_remembered_is_bounded() {
    let processed =
        Arc::new(MemoryProcessedEvents::with_bounds(Env::seeded(1), 100, Duration::from_secs(3600)));
    let store = Kept(Arc::clone(&processed));
    let app = TestApp::run(shop(take().idempotent(), |_: Placed| async {}))
        .with(|app| app.processed_events(store))
        .await;
    for number in 0..500 {
        app.publish(&placed("a", number)).await;
    }
    app.settled().await;
    assert_eq!(app.stats("shop.take").handled, 500);
    assert_eq!(processed.len(), 100);
}

/// A store that the test keeps a hand on.
#[derive(Debug)]
struct Kept(Arc<MemoryProcessedEvents>);

#[async_trait::async_trait]
impl ProcessedEvents for Kept {
    fn forgets_on_restart(&self) -> bool {
        true
    }

    async fn contains(&self, group: &str, key: ProcessedKey<'_>) -> Result<bool, Error> {
        self.0.contains(group, key).await
    }

    async fn mark(&self, group: &str, key: ProcessedKey<'_>) -> Result<(), Error> {
        self.0.mark(group, key).await
    }
}

/// A store that fails at first, at every question.
#[derive(Debug)]
struct Shaky(Kept, Log<()>);

impl Shaky {
    fn fails(&self) -> Result<(), Error> {
        match self.1.count(()) % 3 {
            2 => Ok(()),
            _ => Err(Error::new(ErrorKind::Transport, "asking the store: no answer")),
        }
    }
}

#[async_trait::async_trait]
impl ProcessedEvents for Shaky {
    fn forgets_on_restart(&self) -> bool {
        false
    }

    async fn contains(&self, group: &str, key: ProcessedKey<'_>) -> Result<bool, Error> {
        self.fails()?;
        self.0.contains(group, key).await
    }

    async fn mark(&self, group: &str, key: ProcessedKey<'_>) -> Result<(), Error> {
        self.fails()?;
        self.0.mark(group, key).await
    }
}

#[jitney::test]
async fn a_store_that_does_not_answer_is_asked_again_without_running_the_handler_again() {
    let (log, asked) = (Numbers::new(), Log::new());
    let store = Shaky(Kept(Arc::new(MemoryProcessedEvents::new(Env::seeded(1)))), asked.clone());
    let spec = take().idempotent().retry(attempts(1));
    let app = TestApp::run(shop(spec, note))
        .state(log.clone())
        .with(|app| app.processed_events(store).limits(Limits { concurrency: 1, ..Limits::default() }))
        .await;
    app.publish(&placed("a", 7)).await;
    app.settled().await;
    assert_eq!(log.all(), [7]);
    assert_eq!(asked.len(), 6);
    app.assert_no_dead_letters();
}

#[jitney::test]
async fn a_memory_that_forgets_is_refused_on_a_bus_that_does_not_unless_named() {
    let durable = || Scripted::with(|can| can.durable = true);
    let app = || shop(take().idempotent(), |_: Placed| async {})(durable().bus());
    let error = app().spawn().await.unwrap_err().to_string();
    for part in ["`take`", "`idempotent`", "scripted", ".processed_events(", "MemoryProcessedEvents"] {
        assert!(error.contains(part), "{error}");
    }
    let named = app().processed_events(MemoryProcessedEvents::new(Env::seeded(1)));
    named.spawn().await.unwrap().shutdown().await.unwrap();
    // Where the bus forgets as well, nothing need be said.
    let app = shop(take().idempotent(), |_: Placed| async {})(Scripted::new().bus());
    app.spawn().await.unwrap().shutdown().await.unwrap();
}
