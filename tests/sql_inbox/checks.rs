//! What every inbox keeps.

use std::time::Duration;

use jitney::Id;
use jitney::codec::{Codec, NativeJson};
use jitney::dead_letter::Reason;
use jitney::outbox::{OutboxStore, Relay};
use jitney::prelude::*;

use crate::events::{Placed, Shipped, message, placed, shipped};
use crate::scripted::{Scripted, delivery};
use crate::service::{Service, app, has_handled, settled, shop, take, until};
use crate::witness::{Gate, Log};

type Numbers = Log<u32>;

/// Writes down what it handles, and says that it is shipped.
fn ship<S: Service>(
    log: &Numbers,
) -> impl Fn(Placed, S::Tx) -> futures_util::future::BoxFuture<'static, Result<Shipped, HandlerError>> + use<S>
{
    let log = log.clone();
    move |order, mut tx| {
        let log = log.clone();
        Box::pin(async move {
            log.add(order.number);
            S::write(&mut tx, order.number).await?;
            Ok(shipped(&order.order, order.number))
        })
    }
}

fn bus(broker: &Scripted) -> Bus {
    Bus::builder(broker.clone()).build()
}

pub(crate) async fn what_a_handler_writes_and_returns_is_committed_with_its_mark<S: Service>(service: S) {
    let (broker, log) = (Scripted::with(|can| can.durable = true), Numbers::new());
    let app = shop(&service, &broker, take(1), ship::<S>(&log)).await;
    let same = message("e-0", &placed("a", 7));
    for number in 0..2 {
        broker.deliver([delivery(1, number, same.clone())]);
        settled(&broker, 1 + usize::try_from(number).unwrap()).await;
    }
    assert_eq!((service.rows().await, log.all()), (vec![7], vec![7]));
    assert!(has_handled(&service, "e-0").await);
    let stats = app.stats()["shop.take"];
    assert_eq!((stats.handled, stats.duplicates, stats.outputs), (1, 1, 1));
    app.shutdown().await.unwrap();

    assert!(broker.sent().is_empty(), "it is the relay's to publish");
    assert_eq!(service.outbox().backlog().await.unwrap().pending, 1);
    assert_eq!(Relay::new(service.outbox(), &bus(&broker)).drain().await.unwrap().published, 1);
    let head = NativeJson.decode(&broker.sent()[0], None).unwrap().head;
    let cause = Id::from("e-0");
    assert_eq!(head.event_id, cause.derive("shop.take/take", 0), "as if it had been published at once");
    assert_eq!((&*head.event_type, &head.metadata.causation_id), ("Shipped", &Some(cause)));
}

pub(crate) async fn an_attempt_that_fails_leaves_nothing<S: Service>(service: S) {
    let (broker, log) = (Scripted::new(), Numbers::new());
    let handler = {
        let log = log.clone();
        move |order: Placed, mut tx: S::Tx| {
            let log = log.clone();
            async move {
                S::write(&mut tx, order.number).await?;
                match log.count(order.number) {
                    0 => Err(HandlerError::retryable("not yet")),
                    1 => panic!("nor now"),
                    2 => std::future::pending().await,
                    // Slow disks may make more of them fail.
                    _ => Ok(shipped(&order.order, order.number)),
                }
            }
        }
    };
    let spec = take(20).timeout(Duration::from_secs(2));
    let app = shop(&service, &broker, spec, handler).await;
    broker.deliver([delivery(1, 0, message("e-0", &placed("a", 7)))]);
    settled(&broker, 1).await;
    assert!(broker.dead_letters().is_empty(), "{:?}", broker.dead_letters());
    assert_eq!(service.rows().await, [7]);
    assert!(log.len() >= 4, "{:?}", log.all());
    assert_eq!(service.outbox().backlog().await.unwrap().pending, 1);
    app.shutdown().await.unwrap();
}

pub(crate) async fn a_dead_letter_was_not_handled<S: Service>(service: S) {
    let broker = Scripted::new();
    let handler = |order: Placed, mut tx: S::Tx| async move {
        S::write(&mut tx, order.number).await?;
        match order.number {
            7 => Err(HandlerError::permanent("no")),
            _ => Ok(Outcome::dead_letter("not for us").and_publish(shipped(&order.order, order.number))),
        }
    };
    let app = shop(&service, &broker, take(3), handler).await;
    broker.deliver_events(1, 0, &[placed("a", 7), placed("a", 8)]);
    settled(&broker, 2).await;
    let reasons: Vec<_> = broker.dead_letters().iter().map(|dead| dead.failure.reason).collect();
    assert_eq!(reasons, [Reason::Permanent, Reason::Requested]);
    assert!(service.rows().await.is_empty());
    assert!(!has_handled(&service, "e-0").await && !has_handled(&service, "e-1").await);
    assert_eq!(service.outbox().backlog().await.unwrap().pending, 0);
    app.shutdown().await.unwrap();
}

/// Two members in two processes have the same event, and the second is handed it while the first is at work. Answers how often it
/// was handled.
async fn handled_by_two<S: Service>(service: &S, first_fails: bool) -> usize {
    let (log, gate, other) = (Numbers::new(), Gate::closed(), S::at(&service.place()).await);
    let handler = || {
        let (log, gate) = (log.clone(), gate.clone());
        move |order: Placed, mut tx: S::Tx| {
            let (log, gate) = (log.clone(), gate.clone());
            async move {
                let is_first = log.count(order.number) == 0;
                S::write(&mut tx, order.number).await?;
                if is_first {
                    gate.pass().await;
                }
                if is_first && first_fails { Err(HandlerError::permanent("no")) } else { Ok(()) }
            }
        }
    };
    let brokers = [Scripted::new(), Scripted::new()];
    let first = shop(service, &brokers[0], take(1), handler()).await;
    let second = shop(&other, &brokers[1], take(1), handler()).await;
    let same = message("e-0", &placed("a", 7));
    brokers[0].deliver([delivery(1, 0, same.clone())]);
    until("the first one is at work", async || log.len() == 1).await;
    brokers[1].deliver([delivery(1, 0, same)]);
    until("the second one has it", async || brokers[1].most_unsettled() == 1).await;
    gate.let_through(1);
    for broker in &brokers {
        settled(broker, 1).await;
    }
    for app in [first, second] {
        app.shutdown().await.unwrap();
    }
    assert_eq!(service.rows().await, [7]);
    log.len()
}

pub(crate) async fn of_two_members_with_one_event_at_once_one_handles_it<S: Service>(service: S) {
    assert_eq!(handled_by_two(&service, false).await, 1);
}

pub(crate) async fn a_member_handles_what_another_one_has_failed_at<S: Service>(service: S) {
    assert_eq!(handled_by_two(&service, true).await, 2);
}

pub(crate) async fn a_natural_key_is_handled_once_whatever_events_carry_it<S: Service>(service: S) {
    let log = Numbers::new();
    let spec = || take(1).idempotent_by(|order: &Placed| order.number);
    for process in ["one", "another"] {
        let (service, broker) = (S::at(&service.place()).await, Scripted::new());
        let app = shop(&service, &broker, spec(), ship::<S>(&log)).await;
        let of = |place: u64, number| message(&format!("{process}-{place}"), &placed("a", number));
        broker.deliver([delivery(1, 0, of(0, 7)), delivery(1, 1, of(1, 8)), delivery(1, 2, of(2, 7))]);
        settled(&broker, 3).await;
        app.shutdown().await.unwrap();
    }
    assert_eq!((service.rows().await, log.all()), (vec![7, 8], vec![7, 8]));
}

pub(crate) async fn a_key_of_any_length_and_content_is_recognised<S: Service>(service: S) {
    let (broker, log) = (Scripted::new(), Numbers::new());
    let app = shop(&service, &broker, take(1), ship::<S>(&log)).await;
    let ids = [format!("{}1", "k".repeat(9000)), format!("{}2", "k".repeat(9000)), "a\0b".to_owned()];
    let deliveries = |from: u64| {
        (from..)
            .zip(&ids)
            .zip(1..)
            .map(|((number, id), row)| delivery(1, number, message(id, &placed("a", row))))
    };
    broker.deliver(deliveries(0));
    broker.deliver(deliveries(3));
    settled(&broker, 6).await;
    assert!(broker.dead_letters().is_empty(), "{:?}", broker.dead_letters());
    assert_eq!((service.rows().await, log.all()), (vec![1, 2, 3], vec![1, 2, 3]));
    app.shutdown().await.unwrap();
}

pub(crate) async fn handlers_without_a_transaction_are_marked_too<S: Service>(service: S) {
    let log = Numbers::new();
    for process in 0..2 {
        // It outlives the process, and so have the marks to.
        let broker = Scripted::with(|can| can.durable = true);
        let (service, log) = (S::at(&service.place()).await, log.clone());
        let note = move |order: Placed| {
            log.add(order.number);
            async {}
        };
        let running = app(&broker, take(1).idempotent(), note).inbox(service.inbox()).spawn().await.unwrap();
        broker.deliver([delivery(1, 0, message("e-0", &placed("a", 7)))]);
        settled(&broker, 1).await;
        assert_eq!(running.stats()["shop.take"].duplicates, process);
        running.shutdown().await.unwrap();
    }
    assert_eq!(log.all(), [7]);
    assert!(has_handled(&service, "e-0").await);
}
