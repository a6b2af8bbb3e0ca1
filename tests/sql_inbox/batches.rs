//! Batches in transactions.

use std::time::Duration;

use jitney::prelude::*;

use crate::events::{Placed, message, placed, shipped};
use crate::scripted::{Scripted, delivery};
use crate::service::{Service, app, has_handled, settled, shop, take, until};
use crate::witness::Log;
use jitney::outbox::OutboxStore;

pub(crate) async fn a_batch_is_handled_in_one_transaction_without_what_was_handled_before<S: Service>(
    service: S,
) {
    let (broker, log) = (Scripted::new(), Log::<Vec<u32>>::new());
    let handler = {
        let log = log.clone();
        move |batch: Batch<Placed>, mut tx: S::Tx| {
            let log = log.clone();
            async move {
                let attempt = log.count(batch.iter().map(|order| order.number).collect());
                for order in &batch {
                    S::write(&mut tx, order.number).await?;
                }
                let shipped = batch.iter().map(|order| shipped(&order.order, order.number));
                if attempt == 1 {
                    Err(HandlerError::retryable("no"))
                } else {
                    Ok(shipped.collect::<Vec<_>>())
                }
            }
        }
    };
    let app = shop(&service, &broker, take(2), handler).await;
    broker.deliver_events(1, 0, &[placed("a", 7)]);
    settled(&broker, 1).await;
    let again = [("e-0", 7), ("e-1", 8), ("e-2", 9)];
    let again = (1..).zip(again).map(|(at, (id, number))| delivery(1, at, message(id, &placed("a", number))));
    broker.deliver(again.collect::<Vec<_>>());
    settled(&broker, 4).await;
    assert_eq!(log.all(), [vec![7], vec![8, 9], vec![8, 9]]);
    assert_eq!(service.rows().await, [7, 8, 9]);
    assert_eq!(service.outbox().backlog().await.unwrap().pending, 3);
    let stats = app.stats()["shop.take"];
    assert_eq!((stats.handled, stats.duplicates), (3, 1));
    app.shutdown().await.unwrap();
}

pub(crate) async fn what_fails_in_a_batch_takes_nothing_with_it<S: Service>(service: S) {
    let broker = Scripted::new();
    let handler = |batch: Batch<Placed>, mut tx: S::Tx| async move {
        let mut each = Vec::new();
        for order in &batch {
            S::write(&mut tx, order.number).await?;
            let bad = order.number == 8;
            each.push(if bad { Err(HandlerError::permanent("no")) } else { Ok(()) });
        }
        Ok::<_, HandlerError>(each)
    };
    // Where writing fails, the test fails by the rows that are missing.
    let handler = move |batch: Batch<Placed>, tx: S::Tx| async move {
        let number = batch.len();
        Each(handler(batch, tx).await.unwrap_or_else(|_| (0..number).map(|_| Ok(())).collect()))
    };
    let app = shop(&service, &broker, take(1), handler).await;
    broker.deliver_events(1, 0, &[placed("a", 7), placed("a", 8), placed("a", 9)]);
    settled(&broker, 3).await;
    assert_eq!(service.rows().await, [7, 9]);
    let dead: Vec<_> = broker.dead_letters().iter().map(|dead| dead.delivery.token.number).collect();
    assert_eq!(dead, [1]);
    assert_eq!((has_handled(&service, "e-0").await, has_handled(&service, "e-1").await), (true, false));
    app.shutdown().await.unwrap();
}

pub(crate) async fn what_is_to_wait_in_a_batch_holds_nothing_else_up<S: Service>(service: S) {
    let (broker, log) = (Scripted::new(), Log::<Vec<u32>>::new());
    let handler = {
        let log = log.clone();
        move |batch: Batch<Placed>, mut tx: S::Tx| {
            let log = log.clone();
            async move {
                let numbers: Vec<u32> = batch.iter().map(|order| order.number).collect();
                log.add(numbers.clone());
                let mut each = Vec::new();
                for number in numbers {
                    // Where writing fails, the test fails by the rows that are missing.
                    let written = S::write(&mut tx, number).await.is_ok();
                    let waits = number == 8 || !written;
                    each.push(if waits {
                        Outcome::retry_after(Duration::from_secs(3600))
                    } else {
                        Outcome::ack()
                    });
                }
                Each(each)
            }
        }
    };
    let app = app(&broker, take(1), handler).inbox(service.inbox()).drain_within(Duration::ZERO);
    let app = app.spawn().await.unwrap();
    broker.deliver_events(1, 0, &[placed("a", 7), placed("a", 8), placed("a", 9)]);
    until("the others are handled", async || service.rows().await == [7, 9]).await;
    assert_eq!(log.all(), [vec![7, 8, 9], vec![7, 9]]);
    assert!(!has_handled(&service, "e-1").await && broker.dead_letters().is_empty());
    drop(app);
}
