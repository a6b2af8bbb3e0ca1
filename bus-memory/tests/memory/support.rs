//! A member that tests drive by hand.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use jitney_core::dead_letter::{DeadLetter, Failure, Reason};
use jitney_core::message::{Message, Outbound};
use jitney_core::transport::{
    Delivery, Demand, Epoch, Interest, Published, Settle, SettleError, Settlement, Settler, Source,
    SourceEvent, Subscription, Token, Transport,
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

/// Polls `future` once, and answers whether it is done.
pub(crate) async fn is_done(future: Pin<&mut impl Future>) -> bool {
    let mut future = Some(future);
    poll_fn(|cx| Poll::Ready(future.take().is_some_and(|future| future.poll(cx).is_ready()))).await
}

pub(crate) fn outbound(topic: &str, body: u32) -> Outbound {
    Outbound { message: message(topic, "k", body.to_string()), attributes: None }
}

/// The bodies of what `topic` holds, in their order.
pub(crate) fn stored(memory: &Memory, topic: &str) -> Vec<u32> {
    let body = |body: &[u8]| std::str::from_utf8(body).unwrap().parse().unwrap();
    memory.messages(topic).iter().map(|message| body(&message.body)).collect()
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
    deliveries.iter().map(|delivery| Settlement::new(delivery.token, Settle::Ack)).collect()
}

pub(crate) fn sorted(mut bodies: Vec<u32>) -> Vec<u32> {
    bodies.sort_unstable();
    bodies
}

pub(crate) fn subscription(group: &str, topics: &[&str]) -> Subscription {
    let interest = |topic: &&str| Interest::all(*topic);
    let mut subscription = Subscription::new(group, topics.iter().map(interest).collect());
    subscription.prefetch = 1_000;
    subscription
}

pub(crate) fn exactly_once(group: &str, topics: &[&str]) -> Subscription {
    let mut subscription = subscription(group, topics);
    subscription.exactly_once = true;
    subscription
}

/// The settlement of a delivery whose output has its body.
pub(crate) fn with_output(delivery: &Delivery) -> Settlement {
    Settlement::new(delivery.token, Settle::Ack).with_outputs(vec![outbound("outputs", body(delivery))])
}

pub(crate) fn dead_letter(delivery: &Delivery, group: &str, env: &Env) -> Settle {
    let failure = Failure::new(Reason::Exhausted, group, env.now(), "no gateway answers");
    Settle::DeadLetter(Box::new(DeadLetter { delivery: delivery.clone(), failure }))
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
        let (env, start) = (self.env.clone(), self.env.instant());
        let next = poll_fn(|cx| self.source.poll_next(cx, MANY));
        let event = env.timeout(LIMIT, next).await.expect("nothing came").unwrap();
        assert!(start.elapsed() < LIMIT, "it was there, but nobody was woken");
        event
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
        self.settler.settle(vec![Settlement::new(token, settle)]).await.unwrap();
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
        let settle = dead_letter(delivery, group, &self.env);
        self.settler.settle(vec![Settlement::new(delivery.token, settle)]).await
    }

    /// The epoch that is lost, which must be what comes next.
    pub(crate) async fn lost(&mut self) -> Epoch {
        match self.next().await {
            SourceEvent::Lost { epoch } => epoch,
            other => panic!("{other:?} instead of a loss"),
        }
    }
}
