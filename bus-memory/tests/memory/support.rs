//! A member that tests drive by hand.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use jitney_core::dead_letter::{DeadLetter, Failure, Reason};
use jitney_core::message::{Message, Outbound};
use jitney_core::transport::{
    Delivery, Demand, Epoch, Interest, Mode, Published, Settle, SettleError, Settlement, Settler, Source,
    SourceEvent, Start, Subscription, Token, Transport,
};
use jitney_core::{Env, Error};
use jitney_memory::{Builder, Memory, Semantics};

pub(crate) const ALL: [Semantics; 3] = [Semantics::Kafka, Semantics::EventBridge, Semantics::RabbitMq];
pub(crate) const MANY: Demand = Demand { events: 1_000, bytes: usize::MAX };
/// Long enough for anything that comes at all; virtual, so it costs nothing.
const LIMIT: Duration = Duration::from_secs(3_600);

/// A seeded set-up; must be called where tokio's clock is paused.
pub(crate) fn seeded(seed: u64) -> Builder {
    Memory::builder().env(Env::seeded(seed))
}

pub(crate) fn message(topic: &str, key: &str, body: impl Into<Bytes>) -> Message {
    Message {
        topic: topic.to_owned().into(),
        key: (!key.is_empty()).then(|| Bytes::copy_from_slice(key.as_bytes())),
        headers: vec![],
        time: jiff::Timestamp::UNIX_EPOCH,
        body: body.into(),
    }
}

pub(crate) async fn offer(memory: &Memory, message: Message) -> Published {
    memory.publish_one(Outbound { message, attributes: None }).await
}

/// Publishes bodies under one key.
pub(crate) async fn publish(memory: &Memory, topic: &str, key: &str, bodies: impl IntoIterator<Item = u32>) {
    for body in bodies {
        offer(memory, message(topic, key, body.to_string())).await.into_result().unwrap();
    }
}

pub(crate) fn body(delivery: &Delivery) -> u32 {
    std::str::from_utf8(&delivery.message.body).unwrap().parse().unwrap()
}

pub(crate) fn bodies(deliveries: &[Delivery]) -> Vec<u32> {
    deliveries.iter().map(body).collect()
}

pub(crate) fn acks(deliveries: &[Delivery]) -> Vec<Settlement> {
    deliveries.iter().map(|delivery| Settlement { token: delivery.token, settle: Settle::Ack }).collect()
}

pub(crate) fn sorted(mut bodies: Vec<u32>) -> Vec<u32> {
    bodies.sort_unstable();
    bodies
}

pub(crate) fn subscription(group: &str, topics: &[&str]) -> Subscription {
    let interest =
        |topic: &&str| Interest { topic: (*topic).to_owned(), aggregate: None, event_types: Vec::new() };
    Subscription {
        group: group.to_owned(),
        interests: topics.iter().map(interest).collect(),
        mode: Mode::Competing,
        start: Start::Earliest,
        prefetch: 1_000,
    }
}

pub(crate) struct Member {
    pub(crate) source: Box<dyn Source>,
    pub(crate) settler: Arc<dyn Settler>,
    env: Env,
}

impl Member {
    pub(crate) async fn join(memory: &Memory, subscription: Subscription) -> Member {
        Member::try_join(memory, subscription).await.unwrap()
    }

    pub(crate) async fn try_join(memory: &Memory, subscription: Subscription) -> Result<Member, Error> {
        let subscribed = memory.subscribe(subscription).await?;
        Ok(Member { source: subscribed.source, settler: subscribed.settler, env: memory.env().clone() })
    }

    /// What comes next, which must come.
    pub(crate) async fn next(&mut self) -> SourceEvent {
        let env = self.env.clone();
        let next = poll_fn(|cx| self.source.poll_next(cx, MANY));
        env.timeout(LIMIT, next).await.expect("nothing came").unwrap()
    }

    /// What is there now.
    pub(crate) fn now(&mut self, demand: Demand) -> Option<SourceEvent> {
        match self.source.poll_next(&mut Context::from_waker(Waker::noop()), demand) {
            Poll::Ready(event) => Some(event.unwrap()),
            Poll::Pending => None,
        }
    }

    /// The deliveries that are there now.
    pub(crate) fn deliveries_now(&mut self) -> Vec<Delivery> {
        let mut all = Vec::new();
        while let Some(event) = self.now(MANY) {
            match event {
                SourceEvent::Deliveries(deliveries) => all.extend(deliveries),
                other => panic!("{other:?} among deliveries"),
            }
        }
        all
    }

    /// The next deliveries, which must come.
    pub(crate) async fn deliveries(&mut self) -> Vec<Delivery> {
        match self.next().await {
            SourceEvent::Deliveries(deliveries) => deliveries,
            other => panic!("{other:?} instead of deliveries"),
        }
    }

    pub(crate) async fn settle(&self, token: Token, settle: Settle) {
        self.settler.settle(vec![Settlement { token, settle }]).await.unwrap();
    }

    pub(crate) async fn ack(&self, deliveries: &[Delivery]) {
        self.settler.settle(acks(deliveries)).await.unwrap();
    }

    pub(crate) async fn retry(&self, delivery: &Delivery, after: Duration) {
        self.settle(delivery.token, Settle::Retry { after }).await;
    }

    pub(crate) async fn give_up(&self, delivery: &Delivery, group: &str) {
        self.try_give_up(delivery, group).await.unwrap();
    }

    pub(crate) async fn try_give_up(&self, delivery: &Delivery, group: &str) -> Result<(), SettleError> {
        let failure = Failure::new(Reason::Exhausted, group, self.env.now(), "no gateway answers");
        let letter = DeadLetter { delivery: delivery.clone(), failure };
        let settle = Settle::DeadLetter(Box::new(letter));
        self.settler.settle(vec![Settlement { token: delivery.token, settle }]).await
    }

    /// The epoch that is lost, which must be what comes next.
    pub(crate) async fn lost(&mut self) -> Epoch {
        match self.next().await {
            SourceEvent::Lost { epoch } => epoch,
            other => panic!("{other:?} instead of a loss"),
        }
    }
}
