//! What every store keeps.

use std::time::Duration;

use jitney::sourcing::process::{Handling, ListProcesses, ProcessRunner, ProcessStore};
use jitney::{Env, Id};

use crate::backend::{Backend, raw};
use crate::saga::*;
use crate::tally::{HOUR, Tally, What, counted};

/// The bound on every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let waiting = async {
        while !done().await {
            Env::system().sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = Env::system().timeout(PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| panic!("it did not come to this: {what}"));
}

pub(crate) fn placed(order: &str) -> OrderPlaced {
    OrderPlaced { order: order.to_owned(), cents: 700 }
}

/// Everything that makes an order go its way, under ids of its own.
pub(crate) async fn append_all(backend: &impl Backend, order: &str) {
    let id = |what: &str| format!("{order}-{what}");
    let order = || order.to_owned();
    backend.append(&id("placed"), &placed(&order())).await;
    backend.append(&id("reserved"), &StockReserved { order: order() }).await;
    backend.append(&id("paid"), &PaymentTaken { order: order() }).await;
    backend.append(&id("shipped"), &OrderShipped { order: order() }).await;
}

/// What such an order sends.
pub(crate) const WAY: [&str; 4] = ["ReserveStock", "TakePayment", "ShipOrder", "OrderFulfilled"];

pub(crate) async fn an_order_goes_its_way_and_what_is_sent_follows_from_its_cause(backend: impl Backend) {
    let runner = backend.runner::<OrderFlow>().await;
    append_all(&backend, "o-1").await;
    runner.catch_up().await.unwrap();
    assert_eq!(backend.sent_to("o-1").await, WAY);
    let sent = backend.sent().await;
    let causes: Vec<_> =
        sent.iter().map(|head| head.metadata.causation_id.clone().unwrap().to_string()).collect();
    assert_eq!(causes, ["o-1-placed", "o-1-reserved", "o-1-paid", "o-1-shipped"]);
    for (head, cause) in sent.iter().zip(&causes) {
        assert_eq!(
            head.correlation_id(),
            &Id::from(&**cause),
            "the chain of an event without one is its own"
        );
        assert_eq!(head.event_id, Id::from(&**cause).derive("process order_flow o-1", 0));
    }
    let view = runner.look("o-1").await.unwrap().unwrap();
    let steps: Vec<_> = view.steps.iter().map(|step| &*step.what).collect();
    assert_eq!(steps, ["OrderPlaced", "StockReserved", "PaymentTaken", "OrderShipped"]);
    assert!(view.completed && view.deadlines.is_empty() && view.compensations.len() == 2);
    assert_eq!(
        backend.open().await.checkpoint("order_flow").await.unwrap(),
        backend.events().end().await.unwrap()
    );
}

pub(crate) async fn an_order_that_is_refused_gives_back_what_it_took(backend: impl Backend) {
    let runner = backend.runner::<OrderFlow>().await;
    let order = || "o-1".to_owned();
    backend.append("1", &placed("o-1")).await;
    backend.append("2", &StockReserved { order: order() }).await;
    backend.append("3", &PaymentTaken { order: order() }).await;
    runner.catch_up().await.unwrap();
    // The compensations outlive the program.
    let runner = backend.runner::<OrderFlow>().await;
    assert_eq!(runner.look("o-1").await.unwrap().unwrap().compensations[0].event_type(), "RefundPayment");
    backend.append("4", &ShippingRefused { order: order() }).await;
    runner.catch_up().await.unwrap();
    let back =
        ["ReserveStock", "TakePayment", "ShipOrder", "RefundPayment", "ReleaseStock", "OrderCancelled"];
    assert_eq!(backend.sent_to("o-1").await, back);
}

pub(crate) async fn inputs_that_come_again_change_nothing(backend: impl Backend) {
    let runner = backend.runner::<OrderFlow>().await;
    append_all(&backend, "o-1").await;
    // The same by a bus, before, between and behind: by whichever way an input comes first.
    let reserved = raw("o-1-reserved", &StockReserved { order: "o-1".to_owned() });
    assert_eq!(runner.handle(&reserved).await.unwrap(), Handling::IgnoredUnknown);
    let first = raw("o-1-placed", &placed("o-1"));
    assert_eq!(runner.handle(&first).await.unwrap(), Handling::Handled);
    assert_eq!(runner.handle(&first).await.unwrap(), Handling::Repeated);
    runner.catch_up().await.unwrap();
    assert_eq!(runner.handle(&reserved).await.unwrap(), Handling::Repeated);
    let other = raw("another", &StockReserved { order: "o-1".to_owned() });
    assert_eq!(runner.handle(&other).await.unwrap(), Handling::IgnoredCompleted);
    assert_eq!(backend.sent_to("o-1").await, WAY);
    assert_eq!(runner.look("o-1").await.unwrap().unwrap().steps.len(), 4);
}

pub(crate) async fn inputs_that_come_at_once_are_all_handled(backend: impl Backend) {
    const WORKERS: usize = 4;
    const INPUTS: usize = 10;
    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        let runner = ProcessRunner::<Tally>::new(backend.open().await);
        workers.push(Env::system().spawn(async move {
            for number in 0..INPUTS {
                let event = raw(&format!("{worker}-{number}"), &counted("t", What::One));
                // Ten conflicts in a row are an error that says to try again.
                while let Err(error) = runner.handle(&event).await {
                    assert!(error.is_retryable(), "{error:?}");
                }
            }
        }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let view = backend.runner::<Tally>().await.look("t").await.unwrap().unwrap();
    assert_eq!((view.state.count, view.steps.len()), ((WORKERS * INPUTS) as u64, WORKERS * INPUTS));
}

pub(crate) async fn one_runner_follows_and_another_takes_over(backend: impl Backend) {
    let lease = Duration::from_millis(300);
    let poll = Duration::from_millis(20);
    let one = backend.runner::<OrderFlow>().await.lease(lease).poll_every(poll);
    let two = backend.runner::<OrderFlow>().await.lease(lease).poll_every(poll);
    append_all(&backend, "o-1").await;
    let first = one.spawn();
    until("the first follows", async || first.status().follows).await;
    let second = two.spawn();
    until("the first order is done", async || backend.sent().await.len() == 4).await;
    // It dies without a word.
    first.abort();
    append_all(&backend, "o-2").await;
    until("the second order is done", async || backend.sent().await.len() == 8).await;
    assert!(second.status().follows);
    assert_eq!(backend.sent_to("o-1").await, WAY);
    assert_eq!(backend.sent_to("o-2").await, WAY);
    second.shutdown().await.unwrap();
    // One that is shut down lets others follow at once.
    backend.runner::<OrderFlow>().await.catch_up().await.unwrap();
}

pub(crate) async fn processes_can_be_listed_looked_at_and_removed(backend: impl Backend) {
    let runner = backend.runner::<Tally>().await;
    for tally in ["c", "a", "b", "ended"] {
        backend.append(&format!("{tally}-1"), &counted(tally, What::Wait(HOUR))).await;
    }
    runner.catch_up().await.unwrap();
    backend.append("ended-2", &counted("ended", What::End)).await;
    runner.catch_up().await.unwrap();
    let keys = async |list: ListProcesses| {
        let infos = runner.list(&list).await.unwrap();
        infos.into_iter().map(|info| info.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(ListProcesses::open()).await, ["a", "b", "c"]);
    assert_eq!(keys(ListProcesses::open().after("a").limit(1)).await, ["b"]);
    let info = &runner.list(&ListProcesses::open()).await.unwrap()[0];
    assert_eq!(info.version, 1);
    assert!(info.next_deadline.unwrap() > info.updated_at);
    let earlier = info.updated_at.checked_sub(Duration::from_secs(60)).unwrap();
    assert!(keys(ListProcesses::open().idle_since(earlier)).await.is_empty());
    let counts = runner.counts().await.unwrap();
    assert_eq!((counts.open, counts.overdue, counts.parked), (3, 0, 0));
    let later = info.next_deadline.unwrap().checked_add(Duration::from_secs(60)).unwrap();
    let counts = backend.open().await.counts("tally", later).await.unwrap();
    assert_eq!(counts.overdue, 3, "those of processes that have ended do not count");
    assert!(counts.overdue_since.unwrap() < later);
    assert_eq!(runner.remove_completed(Duration::from_secs(60)).await.unwrap(), 0);
    let store = backend.open().await;
    assert_eq!(store.remove_completed("tally", later, 10).await.unwrap(), 1);
    assert!(runner.look("ended").await.unwrap().is_none());
    assert!(store.steps("tally", "ended").await.unwrap().is_empty());
    assert_eq!(keys(ListProcesses::open()).await.len(), 3);
}
