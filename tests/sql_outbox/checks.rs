//! What every outbox keeps.

use std::collections::HashSet;
use std::time::Duration;

use jitney::codec::{Codec, NativeJson};
use jitney::outbox::{OutboxStore, Relay, SHARDS};
use jitney::prelude::*;
use jitney::sourcing::{Append, ErrorKind as StoreErrorKind, EventStore, Expected, NewEvent, StreamId};
use jitney::transport::Published;
use jitney::{Env, Error, ErrorKind, Id};

use crate::scripted::Scripted;

/// The bound on every wait.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Bill", id = bill)]
pub(crate) struct Billed {
    pub(crate) bill: String,
    pub(crate) number: u64,
}

/// A service with a database.
pub(crate) trait Service {
    type Outbox: OutboxStore;

    /// The outbox, through connections of its own.
    async fn outbox(&self) -> Self::Outbox;

    /// Puts `event` into the outbox in a transaction, and ends that.
    async fn bill(&self, event: &Billed, commit: bool) -> Id;

    /// The event store, whose appends go to the outbox.
    fn store(&self) -> &dyn EventStore;
}

fn billed(bill: &str, number: u64) -> Billed {
    Billed { bill: bill.to_owned(), number }
}

async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let waiting = async {
        while !done().await {
            Env::system().sleep(Duration::from_millis(5)).await;
        }
    };
    Env::system()
        .timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("it did not come to this: {what}"));
}

fn bus(broker: &Scripted) -> Bus {
    Bus::builder(broker.clone()).build()
}

fn ids(broker: &Scripted) -> Vec<Id> {
    let id = |message| NativeJson.decode(&message, None).unwrap().head.event_id.clone();
    broker.sent().into_iter().map(id).collect()
}

pub(crate) async fn what_is_committed_is_published_and_what_is_rolled_back_is_not(service: impl Service) {
    let broker = Scripted::new();
    let first = service.bill(&billed("a", 1), true).await;
    service.bill(&billed("a", 2), false).await;
    let third = service.bill(&billed("a", 3), true).await;
    let outbox = service.outbox().await;
    assert_eq!(outbox.backlog().await.unwrap().pending, 2);
    let relayed = Relay::new(outbox, &bus(&broker)).drain().await.unwrap();
    assert_eq!((relayed.published, ids(&broker)), (2, vec![first, third]));
    let [message, _] = &broker.sent()[..] else { panic!("two") };
    assert_eq!((&*message.topic, message.key.as_deref()), ("Bill-events", Some(&b"a"[..])));
    assert_eq!(service.outbox().await.backlog().await.unwrap().pending, 0);
}

pub(crate) async fn a_relay_hears_of_a_commit(service: impl Service) {
    let broker = Scripted::new();
    let hours = Duration::from_secs(9 * 3600);
    let relay = Relay::new(service.outbox().await, &bus(&broker)).poll_every(hours).lease(hours).spawn();
    for number in 1..=3 {
        let id = service.bill(&billed("a", number), true).await;
        until("it is published", async || ids(&broker).contains(&id)).await;
    }
    relay.shutdown().await.unwrap();
}

pub(crate) async fn relays_share_the_keys_and_take_over_from_each_other(service: impl Service) {
    let (one, two) = (service.outbox().await, service.outbox().await);
    let (all, lease) = (usize::from(SHARDS), Duration::from_secs(3600));
    assert_eq!(one.lease("one", lease).await.unwrap().len(), all);
    assert_eq!(two.lease("two", lease).await.unwrap().len(), 0, "nothing is free yet");
    let of_one: HashSet<_> = one.lease("one", lease).await.unwrap().into_iter().collect();
    let of_two: HashSet<_> = two.lease("two", lease).await.unwrap().into_iter().collect();
    assert_eq!((of_one.len(), of_two.len()), (all / 2, all / 2));
    assert!(of_one.is_disjoint(&of_two));
    one.release("one").await.unwrap();
    assert_eq!(two.lease("two", Duration::ZERO).await.unwrap().len(), all, "at once, from one that left");
    until("a dead one's are free behind its lease", async || {
        one.lease("three", lease).await.unwrap().len() == all
    })
    .await;
}

pub(crate) async fn what_is_put_aside_can_be_sent_again(service: impl Service) {
    let (broker, outbox) = (Scripted::new(), service.outbox().await);
    broker.answer(|_| Published::Rejected(Error::new(ErrorKind::Rejected, "too large")));
    service.bill(&billed("a", 1), true).await;
    let relayed = Relay::new(service.outbox().await, &bus(&broker)).drain().await.unwrap();
    assert_eq!((relayed.published, relayed.parked), (0, 1));
    let parked = outbox.parked(10).await.unwrap();
    assert!(parked.len() == 1 && parked[0].error.contains("too large"), "{parked:?}");
    let backlog = outbox.backlog().await.unwrap();
    assert_eq!((backlog.pending, backlog.oldest, backlog.parked), (0, None, 1));
    broker.answer(|_| Published::Acked);
    let later = service.bill(&billed("a", 2), true).await;
    outbox.unpark(parked[0].place).await.unwrap();
    assert_eq!(Relay::new(service.outbox().await, &bus(&broker)).drain().await.unwrap().published, 2);
    assert_eq!(ids(&broker).first(), Some(&later), "behind what was pending");
    assert_eq!(outbox.backlog().await.unwrap().parked, 0);
}

fn append(expected: Expected, number: u64) -> Append {
    let env = Env::system();
    let event = NewEvent::new(env.new_id(), env.now(), &billed("a", number)).unwrap();
    Append::to(StreamId::new("Bill", "a"), expected, [event])
}

pub(crate) async fn what_is_appended_is_published_with_its_sequence(service: impl Service) {
    let broker = Scripted::new();
    for number in 0..3 {
        service.store().append(append(Expected::Exact(number), number)).await.unwrap();
    }
    Relay::new(service.outbox().await, &bus(&broker)).drain().await.unwrap();
    let sent = broker.sent();
    let heads: Vec<_> = sent.iter().map(|message| NativeJson.decode(message, None).unwrap().head).collect();
    let sequences: Vec<_> = heads.iter().map(|head| head.sequence).collect();
    assert_eq!(sequences, [Some(1), Some(2), Some(3)]);
    assert!(sent.iter().all(|message| &*message.topic == "Bill-events"));
    assert!(heads.iter().all(|head| head.aggregate_id == "a" && head.aggregate_type == "Bill"));
}

pub(crate) async fn an_append_that_is_refused_leaves_nothing_to_publish(service: impl Service) {
    service.store().append(append(Expected::New, 1)).await.unwrap();
    let error = service.store().append(append(Expected::New, 2)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
    assert_eq!(service.outbox().await.backlog().await.unwrap().pending, 1);
}
