//! Relays: what is in an outbox is published, in order per key, whatever the broker answers.

#![allow(clippy::unwrap_used)]

#[path = "dispatch/events.rs"]
#[allow(dead_code)]
mod events;
#[path = "dispatch/scripted.rs"]
#[allow(dead_code)]
mod scripted;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::codec::{Codec, NativeJson};
use jitney::message::Message;
use jitney::outbox::{MemoryOutbox, OutboxEvent, OutboxStore, Relay, SHARDS};
use jitney::prelude::*;
use jitney::transport::Published;
use jitney::{Env, Error, ErrorKind, Id};

use self::scripted::Scripted;

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Bill", id = bill)]
struct Billed {
    bill: String,
    number: u64,
}

struct Setting {
    env: Env,
    outbox: MemoryOutbox,
    broker: Scripted,
    bus: Bus,
}

impl Setting {
    fn new() -> Self {
        let broker = Scripted::new();
        let bus = broker.bus();
        let env = bus.env().clone();
        Setting { outbox: MemoryOutbox::with_env(env.clone()), env, broker, bus }
    }

    fn add(&self, bill: &str, number: u64) -> Id {
        let event = OutboxEvent::new(&self.env, &Billed { bill: bill.to_owned(), number }).unwrap();
        let id = event.head.event_id.clone();
        self.outbox.add(event).unwrap();
        id
    }

    fn relay(&self) -> Relay {
        Relay::new(self.outbox.clone(), &self.bus)
    }

    /// The numbers of what was sent, by bill.
    fn sent(&self) -> BTreeMap<String, Vec<u64>> {
        let mut sent = BTreeMap::<_, Vec<_>>::new();
        for message in self.broker.sent() {
            let billed = billed(&message);
            sent.entry(billed.bill).or_default().push(billed.number);
        }
        sent
    }

    async fn until(&self, what: &str, done: impl AsyncFn() -> bool) {
        for _ in 0..1_000 {
            if done().await {
                return;
            }
            self.env.sleep(Duration::from_millis(20)).await;
        }
        panic!("in 20 s it did not come to this: {what}");
    }

    async fn until_empty(&self) {
        self.until("the outbox is empty", async || self.outbox.backlog().await.unwrap().pending == 0).await;
    }
}

fn billed(message: &Message) -> Billed {
    let decoded = NativeJson.decode(message, None).unwrap();
    RawEvent::new(decoded, Arc::new(message.clone())).decode().unwrap()
}

fn unanswered() -> Published {
    Published::Unknown(Error::new(ErrorKind::Unknown, "publishing: no answer"))
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_is_published_as_it_was_stored() {
    let setting = Setting::new();
    let ids = [setting.add("a", 1), setting.add("b", 1), setting.add("a", 2)];
    let relayed = setting.relay().batch(2).drain().await.unwrap();
    assert_eq!((relayed.published, relayed.parked, relayed.left), (3, 0, 0));
    assert_eq!(setting.sent(), BTreeMap::from([("a".to_owned(), vec![1, 2]), ("b".to_owned(), vec![1])]));
    for (message, id) in setting.broker.sent().iter().zip(&ids) {
        let head = NativeJson.decode(message, None).unwrap().head;
        assert_eq!((&*message.topic, &head.event_id), ("Bill-events", id));
        assert_eq!(head.correlation_id(), id, "it starts a chain");
        assert_eq!(message.key.as_deref(), Some(head.aggregate_id.as_bytes()));
    }
    assert_eq!(setting.outbox.backlog().await.unwrap().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_an_event_of_its_key_goes_again_behind_it() {
    let setting = Setting::new();
    for number in 1..=3 {
        setting.add("a", number);
        setting.add("b", number);
    }
    let mut lost = HashSet::from([("a".to_owned(), 2)]);
    setting.broker.answer(move |outbound| {
        let billed = billed(&outbound.message);
        if lost.remove(&(billed.bill, billed.number)) { unanswered() } else { Published::Acked }
    });
    let relay = setting.relay().spawn();
    setting.until_empty().await;
    let sent = setting.sent();
    assert_eq!(sent["a"], [1, 3, 2, 3], "the last copies are in order");
    assert_eq!(sent["b"], [1, 2, 3], "nobody else waits");
    relay.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_missing_holds_up_nobody_else() {
    let setting = Setting::new();
    // Far more than are read at once.
    for number in 0..50 {
        setting.add("a", number);
    }
    setting.add("b", 1);
    setting.broker.answer(|outbound| match &*billed(&outbound.message).bill {
        "a" => unanswered(),
        _ => Published::Acked,
    });
    let relay = setting.relay().batch(10).spawn();
    setting.until("b is published", async || setting.sent().contains_key("b")).await;
    assert_eq!(setting.outbox.backlog().await.unwrap().pending, 50);
    setting.broker.answer(|_| Published::Acked);
    setting.until_empty().await;
    assert_eq!(setting.sent()["a"], (0..50).collect::<Vec<_>>());
    relay.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_will_never_take_is_put_aside_and_can_be_sent_again() {
    let setting = Setting::new();
    (1..=3).for_each(|number| drop(setting.add("a", number)));
    setting.broker.answer(|outbound| match billed(&outbound.message).number {
        2 => Published::Rejected(Error::new(ErrorKind::Rejected, "too large")),
        _ => Published::Acked,
    });
    let relayed = setting.relay().drain().await.unwrap();
    assert_eq!((relayed.published, relayed.parked), (2, 1));
    assert_eq!(setting.sent()["a"], [1, 3]);
    let parked = setting.outbox.parked(10).await.unwrap();
    assert_eq!((parked.len(), billed(&parked[0].message).number), (1, 2));
    assert!(parked[0].error.contains("too large"), "{}", parked[0].error);
    assert_eq!(setting.outbox.backlog().await.unwrap().parked, 1);
    setting.broker.answer(|_| Published::Acked);
    assert_eq!(setting.relay().drain().await.unwrap().published, 0, "not by itself");
    setting.outbox.unpark(parked[0].place).await.unwrap();
    assert_eq!(setting.relay().drain().await.unwrap().published, 1);
    assert_eq!(setting.sent()["a"], [1, 3, 2]);
}

#[tokio::test(start_paused = true)]
async fn while_the_broker_is_down_everything_stays_and_then_goes_in_order() {
    let setting = Setting::new();
    setting.broker.answer(|_| unanswered());
    let relay = setting.relay().spawn();
    for number in 0..20 {
        setting.add("a", number);
        setting.env.sleep(Duration::from_secs(5)).await;
    }
    let backlog = setting.outbox.backlog().await.unwrap();
    assert_eq!(backlog.pending, 20);
    let age = setting.env.now().duration_since(backlog.oldest.unwrap());
    assert_eq!(age.as_secs(), 100);
    setting.broker.answer(|_| Published::Acked);
    setting.until_empty().await;
    assert_eq!(setting.sent()["a"], (0..20).collect::<Vec<_>>());
    relay.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_relay_wakes_when_something_is_added() {
    let setting = Setting::new();
    let hour = Duration::from_secs(3600);
    let relay = setting.relay().poll_every(hour).lease(4 * hour).spawn();
    setting.env.sleep(Duration::from_secs(1)).await;
    setting.add("a", 1);
    let before = setting.env.now();
    setting.until("it is published", async || setting.sent().contains_key("a")).await;
    assert!(setting.env.now().duration_since(before).as_secs() < 60, "it waited for its next look");
    relay.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_cannot_be_read_is_put_aside() {
    let setting = Setting::new();
    let mut event = OutboxEvent::new(&setting.env, &Billed { bill: "a".to_owned(), number: 1 }).unwrap();
    event.payload = "{\"bill".into();
    setting.outbox.add(event).unwrap();
    setting.add("a", 2);
    let relayed = setting.relay().drain().await.unwrap();
    assert_eq!((relayed.published, relayed.parked), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn relays_share_the_keys_and_take_over_from_each_other() {
    let setting = Setting::new();
    let lease = Duration::from_secs(30);
    let shards = async |owner: &str| setting.outbox.lease(owner, lease).await.unwrap();
    let all = usize::from(SHARDS);
    assert_eq!(shards("one").await.len(), all);
    assert_eq!(shards("two").await.len(), 0, "nothing is free yet");
    let one: HashSet<_> = shards("one").await.into_iter().collect();
    let two: HashSet<_> = shards("two").await.into_iter().collect();
    assert_eq!((one.len(), two.len()), (all / 2, all / 2));
    assert!(one.is_disjoint(&two));
    setting.outbox.release("one").await.unwrap();
    assert_eq!(shards("two").await.len(), all, "at once, from one that left");
    setting.env.sleep(lease - Duration::from_secs(1)).await;
    assert_eq!(shards("three").await.len(), 0);
    setting.env.sleep(Duration::from_secs(2)).await;
    assert_eq!(shards("three").await.len(), all, "behind its lease, from one that is dead");
}

#[tokio::test(start_paused = true)]
async fn two_relays_publish_each_event_once_and_each_key_in_order() {
    let setting = Setting::new();
    let relays = [setting.relay().batch(3).spawn(), setting.relay().batch(3).spawn()];
    for number in 0..40 {
        for bill in 0..20 {
            setting.add(&format!("bill-{bill}"), number);
        }
        setting.env.sleep(Duration::from_millis(200)).await;
    }
    setting.until_empty().await;
    let sent = setting.sent();
    assert_eq!(sent.len(), 20);
    for (bill, numbers) in sent {
        assert_eq!(numbers, (0..40).collect::<Vec<_>>(), "{bill}");
    }
    for relay in relays {
        relay.shutdown().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_is_shut_down_finishes_what_it_is_publishing() {
    let setting = Setting::new();
    let acked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&acked);
    setting.broker.answer(move |_| {
        *count.lock().unwrap() += 1;
        Published::Acked
    });
    (0..100).for_each(|number| drop(setting.add("a", number)));
    let relay = setting.relay().batch(10).spawn();
    setting.until("it has begun", async || *acked.lock().unwrap() > 0).await;
    relay.shutdown().await.unwrap();
    let left = setting.outbox.backlog().await.unwrap().pending;
    assert_eq!(left + *acked.lock().unwrap(), 100, "what was acked is out of the outbox");
    assert_eq!(setting.relay().drain().await.unwrap().published as u64, left);
}
