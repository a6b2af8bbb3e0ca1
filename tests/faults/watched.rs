//! A transport whose every answer is written down, and whose topics are a run's own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use jitney::codec::Codec;
use jitney::message::{Outbound, Topic};
use jitney::transport::{
    Delivery, Demand, Epoch, Published, Settle, SettleError, Settlement, Settler, Source, SourceEvent,
    Subscribed, Subscription, Token, Transport,
};
use jitney::{Capabilities, Error, admin};
use jitney_testkit::history::{Arrival, PublishOutcome, Recorder, SettledAs};

use super::events::{OUTPUTS, TOPIC, event_in};

/// Records at the border between application and transport.
#[derive(Debug)]
pub(crate) struct Watched {
    transport: Box<dyn Transport>,
    recorder: Recorder,
    topics: Topics,
    process: String,
    subscriptions: AtomicU64,
}

/// Between the topics of event types, which are the same in each run, and those of one run.
#[derive(Debug, Clone)]
pub(crate) struct Topics(String);

impl Topics {
    pub(crate) fn of(run: &str) -> Self {
        Topics(format!("-{run}"))
    }

    /// The name on the broker of an event type's topic.
    pub(crate) fn on_broker(&self, topic: &str) -> String {
        match topic {
            TOPIC | OUTPUTS => format!("{topic}{}", self.0),
            // Topics of a group, which the run's name is part of.
            other => other.to_owned(),
        }
    }

    fn in_types<'t>(&self, topic: &'t str) -> &'t str {
        topic.strip_suffix(&self.0).unwrap_or(topic)
    }

    fn outbound(&self, mut outbound: Outbound) -> Outbound {
        outbound.message.topic = self.on_broker(&outbound.message.topic).into();
        outbound
    }
}

impl Watched {
    pub(crate) fn new(
        transport: Box<dyn Transport>,
        recorder: Recorder,
        topics: Topics,
        process: &str,
    ) -> Self {
        Watched { transport, recorder, topics, process: process.to_owned(), subscriptions: AtomicU64::new(0) }
    }

    fn published(&self, message: &Outbound, outcome: &Published) {
        let outcome = match outcome {
            Published::Acked => PublishOutcome::Acked,
            Published::Rejected(_) => PublishOutcome::Rejected,
            Published::Unknown(_) => PublishOutcome::Unknown,
        };
        self.recorder.published(&event_in(&message.message.topic, &message.message), outcome);
    }
}

#[async_trait::async_trait]
impl Transport for Watched {
    fn capabilities(&self) -> &Capabilities {
        self.transport.capabilities()
    }

    fn describe(&self) -> String {
        self.transport.describe()
    }

    fn codec(&self) -> Arc<dyn Codec> {
        self.transport.codec()
    }

    async fn publish(&self, batch: Vec<Outbound>) -> Vec<Published> {
        for outbound in &batch {
            self.recorder.publishing(&event_in(&outbound.message.topic, &outbound.message));
        }
        let messages = batch.iter().map(|outbound| self.topics.outbound(outbound.clone())).collect();
        let outcomes = self.transport.publish(messages).await;
        assert_eq!(outcomes.len(), batch.len(), "one outcome for each message");
        batch.iter().zip(&outcomes).for_each(|(outbound, outcome)| self.published(outbound, outcome));
        outcomes
    }

    async fn publish_one(&self, outbound: Outbound) -> Published {
        self.recorder.publishing(&event_in(&outbound.message.topic, &outbound.message));
        let outcome = self.transport.publish_one(self.topics.outbound(outbound.clone())).await;
        self.published(&outbound, &outcome);
        outcome
    }

    async fn subscribe(&self, mut subscription: Subscription) -> Result<Subscribed, Error> {
        let group = subscription.group.clone();
        let topics: Vec<_> = subscription.interests.iter().map(|interest| interest.topic.clone()).collect();
        for interest in &mut subscription.interests {
            interest.topic = self.topics.on_broker(&interest.topic);
        }
        let Subscribed { source, settler } = self.transport.subscribe(subscription).await?;
        let number = self.subscriptions.fetch_add(1, Ordering::Relaxed);
        let member = Arc::new(Member {
            recorder: self.recorder.clone(),
            topics: self.topics.clone(),
            group,
            name: format!("{}-{number}", self.process),
        });
        let names: Vec<_> = topics.iter().map(String::as_str).collect();
        self.recorder.joined(&member.group, &member.name, &names);
        Ok(Subscribed {
            source: Box::new(WatchedSource { source, member: Arc::clone(&member) }),
            settler: Arc::new(WatchedSettler { settler, member }),
        })
    }

    fn admin(&self) -> Option<&dyn admin::Admin> {
        self.transport.admin()
    }

    async fn close(&self, limit: Duration) -> Result<(), Error> {
        self.transport.close(limit).await
    }
}

struct Member {
    recorder: Recorder,
    topics: Topics,
    group: String,
    name: String,
}

struct WatchedSource {
    source: Box<dyn Source>,
    member: Arc<Member>,
}

impl WatchedSource {
    fn delivered(&self, mut delivery: Delivery) -> Delivery {
        let Member { recorder, topics, group, name } = &*self.member;
        let mut message = (*delivery.message).clone();
        message.topic = Topic::from(topics.in_types(&message.topic).to_owned());
        let arrival = Arrival {
            event: event_in(&message.topic, &message),
            attempt: delivery.attempt,
            partition: delivery.partition,
            position: delivery.position.map(|position| position.0),
            epoch: delivery.token.epoch.0,
            token: delivery.token.number,
        };
        recorder.delivered(group, name, arrival);
        delivery.message = Arc::new(message);
        delivery
    }
}

impl Source for WatchedSource {
    fn poll_next(&mut self, cx: &mut Context<'_>, demand: Demand) -> Poll<Result<SourceEvent, Error>> {
        let event = ready!(self.source.poll_next(cx, demand));
        Poll::Ready(event.map(|event| match event {
            SourceEvent::Deliveries(deliveries) => {
                let watched = deliveries.into_iter().map(|delivery| self.delivered(delivery));
                SourceEvent::Deliveries(watched.collect())
            }
            SourceEvent::Lost { epoch } => {
                self.member.recorder.lost(&self.member.group, &self.member.name, epoch.0);
                SourceEvent::Lost { epoch }
            }
            other => other,
        }))
    }
}

impl fmt::Debug for WatchedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedSource").field("member", &self.member.name).finish_non_exhaustive()
    }
}

struct WatchedSettler {
    settler: Arc<dyn Settler>,
    member: Arc<Member>,
}

#[async_trait::async_trait]
impl Settler for WatchedSettler {
    async fn settle(&self, mut settlements: Vec<Settlement>) -> Result<(), SettleError> {
        let Member { recorder, topics, group, name } = &*self.member;
        let mut asked = Vec::new();
        for settlement in &mut settlements {
            let outputs = std::mem::take(&mut settlement.outputs);
            settlement.outputs = outputs.into_iter().map(|output| topics.outbound(output)).collect();
            let kind = match &settlement.settle {
                Settle::Ack => SettledAs::Ack,
                Settle::Retry { .. } => SettledAs::Retry,
                Settle::DeadLetter(_) => SettledAs::DeadLetter,
            };
            let token = (settlement.token.epoch.0, settlement.token.number);
            recorder.settling(group, name, token, kind);
            asked.push((settlement.token, kind));
        }
        let answer = self.settler.settle(settlements).await;
        let failed = answer.as_ref().err().map_or(&[][..], |error| &error.failed);
        for (token, kind) in asked {
            let ok = !failed.iter().any(|(settlement, _)| settlement.token == token);
            recorder.settled(group, name, (token.epoch.0, token.number), kind, ok);
        }
        answer
    }

    async fn keep_alive(&self, tokens: &[Token]) -> Result<(), Error> {
        self.settler.keep_alive(tokens).await
    }

    async fn release(&self, epoch: Epoch) {
        self.member.recorder.revoked(&self.member.group, &self.member.name, epoch.0);
        self.settler.release(epoch).await;
    }

    async fn leave(&self, limit: Duration) -> Result<(), Error> {
        self.member.recorder.left(&self.member.group, &self.member.name);
        self.settler.leave(limit).await
    }
}
