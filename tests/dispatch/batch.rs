//! Several events at once: of one partition, in their order, each with its own outcome.

use std::time::Duration;

use jitney::dead_letter::Reason;
use jitney::handler::{BatchPolicy, HandlerSpec, IntoOutcome};
use jitney::prelude::*;
use jitney::transport::Delivery;
use jitney::{Error, ErrorKind};

use super::events::{Placed, message, placed, shipped};
use super::scripted::{Scripted, Told, delivery};
use super::witness::{Log, Meter, advance, attempts, shop, take, until, work};

/// The numbers of each batch.
type Batches = Log<Vec<u32>>;

fn numbers(batch: &Batch<Placed>) -> Vec<u32> {
    batch.iter().map(|order| order.number).collect()
}

fn of_size(size: usize) -> HandlerSpec {
    take().batch(BatchPolicy { size })
}

/// Event `number` in `partition`.
fn in_partition(partition: u32, number: u64) -> Delivery {
    let event = placed(&format!("k{number}"), u32::try_from(number).unwrap());
    Delivery { partition, ..delivery(1, number, message(&format!("e-{number}"), &event)) }
}

#[jitney::test]
async fn a_batch_is_of_one_partition_in_order_and_no_larger_than_asked() {
    let (transport, log) = (Scripted::new(), Batches::new());
    let note = |batch: Batch<Placed>, State(log): State<Batches>| async move { log.add(numbers(&batch)) };
    let app = shop(of_size(4), note)(transport.bus()).state(log.clone()).spawn().await.unwrap();
    // Even numbers in partition 0, odd ones in partition 1.
    transport.deliver((0..20).map(|number| in_partition((number % 2) as u32, number)));
    until("all are settled", || transport.settled().len() == 20).await;
    let batches = log.all();
    for batch in &batches {
        assert!(batch.len() <= 4, "{batches:?}");
        assert!(
            batch.windows(2).all(|pair| pair[1] == pair[0] + 2),
            "one partition, none left out: {batches:?}"
        );
    }
    for parity in 0..2 {
        let all: Vec<_> = batches.iter().flatten().filter(|number| *number % 2 == parity).copied().collect();
        assert_eq!(all, (0..20).filter(|number| number % 2 == parity).collect::<Vec<_>>());
    }
    assert!(batches.iter().any(|batch| batch.len() == 4), "batches are filled: {batches:?}");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn one_batch_of_a_partition_runs_at_a_time() {
    let (transport, meter) = (Scripted::new(), Meter::default());
    let handler = |_: Batch<Placed>, State(meter): State<Meter>| async move {
        let _inside = meter.enter();
        work(5).await;
    };
    let app = shop(of_size(3), handler)(transport.bus()).state(meter.clone()).spawn().await.unwrap();
    transport.deliver((0..30).map(|number| in_partition((number % 2) as u32, number)));
    until("all are settled", || transport.settled().len() == 30).await;
    assert_eq!(meter.most(), 2, "one for each partition");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn only_the_events_that_failed_are_tried_again() {
    let (transport, log) = (Scripted::new(), Batches::new());
    let handler = |batch: Batch<Placed>, State(log): State<Batches>| async move {
        log.add(numbers(&batch));
        let first = log.len() == 1;
        let outcome = |order: &Envelope<Placed>| match (order.number, first) {
            (1, true) => Outcome::retry_after(Duration::from_secs(1)),
            (2, true) => Err::<(), _>("not yet").into_outcome(),
            (3, _) => Outcome::dead_letter("unwanted"),
            _ => Outcome::publish(shipped("a", order.number)),
        };
        Each(batch.iter().map(outcome).collect::<Vec<_>>())
    };
    let app = shop(of_size(10), handler)(transport.bus()).state(log.clone()).spawn().await.unwrap();
    transport.deliver((0..5).map(|number| in_partition(0, number)));
    until("all are settled", || transport.settled().len() == 5).await;
    assert_eq!(log.all(), [vec![0, 1, 2, 3, 4], vec![1, 2]]);
    assert!(transport.was_told(&Told::DeadLetter(3, Reason::Requested)));
    assert_eq!(transport.sent().len(), 4);
    assert_eq!(app.stats()["shop.take"].handled, 4);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn outcomes_of_the_wrong_number_fail_the_batch_and_are_named() {
    let transport = Scripted::new();
    let handler = |_: Batch<Placed>| async { Each(vec![()]) };
    let spec = of_size(10).retry(attempts(2));
    let app = shop(spec, handler)(transport.bus()).spawn().await.unwrap();
    transport.deliver((0..3).map(|number| in_partition(0, number)));
    until("all are dead letters", || transport.dead_letters().len() == 3).await;
    for letter in transport.dead_letters() {
        let failure = letter.failure;
        assert!(failure.error.contains("`take` returned 1 outcomes for 3 events"), "{}", failure.error);
        assert_eq!((failure.reason, failure.attempts), (Reason::Exhausted, 2));
    }
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_error_of_the_whole_batch_tries_the_whole_batch_again() {
    let (transport, log) = (Scripted::new(), Batches::new());
    let handler = |batch: Batch<Placed>, State(log): State<Batches>| async move {
        log.add(numbers(&batch));
        if log.len() < 3 { Err("not yet") } else { Ok(()) }
    };
    let app = shop(of_size(10), handler)(transport.bus()).state(log.clone()).spawn().await.unwrap();
    transport.deliver((0..3).map(|number| in_partition(0, number)));
    until("all are settled", || transport.settled().len() == 3).await;
    assert_eq!(log.all(), [[0, 1, 2], [0, 1, 2], [0, 1, 2]]);
    assert!(transport.dead_letters().is_empty());
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_follows_from_a_whole_batch_is_published_once_caused_by_its_last_event() {
    let transport = Scripted::new();
    let handler =
        |batch: Batch<Placed>| async move { shipped("sum", batch.iter().map(|order| order.number).sum()) };
    let app = shop(of_size(10), handler)(transport.bus()).spawn().await.unwrap();
    transport.deliver((0..4).map(|number| in_partition(0, number)));
    until("all are settled", || transport.settled().len() == 4).await;
    let sent = transport.sent();
    assert_eq!(sent.len(), 1);
    let body = std::str::from_utf8(&sent[0].body).unwrap();
    assert!(body.contains("\"number\":6") && body.contains("\"causationId\":\"e-3\""), "{body}");
    assert!(matches!(transport.told()[0], Told::Publish(_)), "before anything is settled");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_event_that_cannot_be_read_does_not_take_its_batch_with_it() {
    let (transport, log) = (Scripted::new(), Batches::new());
    let note = |batch: Batch<Placed>, State(log): State<Batches>| async move { log.add(numbers(&batch)) };
    let app = shop(of_size(10), note)(transport.bus()).state(log.clone()).spawn().await.unwrap();
    let mut broken = in_partition(0, 2);
    let mut message = (*broken.message).clone();
    let text = String::from_utf8(message.body.to_vec()).unwrap();
    message.body = text.replace("\"number\":2", "\"number\":null").into();
    broken.message = message.into();
    transport.deliver([in_partition(0, 0), in_partition(0, 1), broken, in_partition(0, 3)]);
    until("all are settled", || transport.settled().len() == 4).await;
    assert!(transport.was_told(&Told::DeadLetter(2, Reason::Undecodable)), "{:?}", transport.told());
    assert_eq!(transport.dead_letters().len(), 1);
    assert_eq!(log.all().concat(), [0, 1, 3]);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_batch_that_waits_holds_up_its_partition_alone() {
    let (transport, log) = (Scripted::new(), Batches::new());
    let handler = |batch: Batch<Placed>, State(log): State<Batches>| async move {
        log.add(numbers(&batch));
        if batch.iter().any(|order| order.number == 0) && log.len() < 5 { Err("not yet") } else { Ok(()) }
    };
    let app = shop(of_size(2).retry(attempts(20)), handler)(transport.bus());
    let app = app.state(log.clone()).spawn().await.unwrap();
    transport.deliver([in_partition(0, 0), in_partition(1, 1), in_partition(0, 2), in_partition(0, 4)]);
    until("the other partition is settled", || transport.was_told(&Told::Ack(1))).await;
    until("all are settled", || transport.settled().len() == 4).await;
    assert_eq!(transport.settled()[0], 1);
    assert_eq!(log.all().last(), Some(&vec![4]), "behind the batch that was tried again");
    advance(Duration::from_secs(1)).await;
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_batch_is_left_to_come_again_where_what_its_handler_uses_is_closed() {
    let (transport, log) = (Scripted::new(), Batches::new());
    let handler = |batch: Batch<Placed>, State(log): State<Batches>| async move {
        log.add(numbers(&batch));
        Err::<(), _>(Error::new(ErrorKind::Closed, "publishing: the bus is closed"))
    };
    let app = shop(of_size(3), handler)(transport.bus()).state(log.clone()).spawn().await.unwrap();
    transport.deliver((0..3).map(|number| in_partition(0, number)));
    until("they were handed in", || log.all().concat() == [0, 1, 2]).await;
    app.shutdown().await.unwrap();
    assert!(transport.dead_letters().is_empty() && transport.settled().is_empty());
}
