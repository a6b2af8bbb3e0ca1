//! One consumer on one queue: what it was sent and has not settled.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{FutureExt, Stream};
use jiff::Timestamp;
use jitney_core::message::{Message, Topic};
use jitney_core::transport::{Delivery, Demand, Epoch, OffsetTracker, Token};
use lapin::Channel;
use lapin::message::Delivery as Incoming;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::FieldTable;
use tokio::time::Instant;

use crate::config::Order;
use crate::{retry_queues, wire};

/// The server bounds what is under way by the prefetch; a bound on the distance from the oldest is not wanted.
const NO_GAP: usize = usize::MAX;

/// So many acks of a channel are passed on to the queue at once, whatever happens then.
const SURE_ACKS: u64 = 32;

/// What the server has sent by one channel, under one epoch.
pub(crate) struct Consumer {
    pub(crate) epoch: Epoch,
    pub(crate) partition: u32,
    channel: Arc<Channel>,
    incoming: lapin::Consumer,
    /// By which the group's members are counted.
    _presence: Option<lapin::Consumer>,
    /// Arrived, and not handed out.
    arrived: VecDeque<Incoming>,
    /// By when they are due and their tag: those that came back too early.
    early: BTreeMap<(Timestamp, u64), Delivery>,
    tracker: OffsetTracker,
    /// When tags from one on arrived, ascending; the first is that of the oldest unsettled one.
    since: VecDeque<(u64, Instant)>,
    /// What can be handed back for later, while it is unsettled.
    held: Option<BTreeMap<u64, Held>>,
    /// When it ends, released or not.
    pub(crate) revoked: Option<Instant>,
    last_topic: Option<Topic>,
    order: Order,
    /// How many acks were written.
    acks: u64,
}

/// A channel that consumes a queue.
pub(crate) struct Opened {
    pub(crate) partition: u32,
    pub(crate) channel: Arc<Channel>,
    pub(crate) incoming: lapin::Consumer,
    pub(crate) presence: Option<lapin::Consumer>,
}

/// A delivery that is unsettled.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) message: Arc<Message>,
    pub(crate) attempt: u32,
}

impl Consumer {
    /// A consumer that reads `incoming`; deliveries are kept where they `may_be_handed_back`.
    pub(crate) fn new(
        epoch: Epoch,
        Opened { partition, channel, incoming, presence }: Opened,
        order: Order,
        may_be_handed_back: bool,
    ) -> Self {
        Consumer {
            epoch,
            partition,
            channel,
            incoming,
            _presence: presence,
            arrived: VecDeque::new(),
            early: BTreeMap::new(),
            tracker: OffsetTracker::with_gap(1, NO_GAP),
            since: VecDeque::new(),
            held: may_be_handed_back.then(BTreeMap::new),
            revoked: None,
            last_topic: None,
            order,
            acks: 0,
        }
    }

    /// Takes in what has arrived. Answers why no more will, where that is so: an error, or none where the queue is gone.
    pub(crate) fn receive(
        &mut self,
        cx: &mut Context<'_>,
        now: impl Fn() -> Instant,
    ) -> Result<(), Option<lapin::Error>> {
        let mut is_first = true;
        loop {
            match Pin::new(&mut self.incoming).poll_next(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Some(Ok(incoming))) => {
                    if std::mem::take(&mut is_first) {
                        self.since.push_back((incoming.delivery_tag, now()));
                    }
                    self.tracker.track(incoming.delivery_tag);
                    self.arrived.push_back(incoming);
                }
                Poll::Ready(Some(Err(error))) => return Err(Some(error)),
                Poll::Ready(None) => return Err(None),
            }
        }
    }

    /// Hands out what has arrived, within `budget`.
    pub(crate) fn take(&mut self, now: impl Fn() -> Timestamp, budget: &mut Budget, out: &mut Vec<Delivery>) {
        if self.revoked.is_some() {
            return;
        }
        while !budget.is_spent() {
            let early = self.early.first_entry().filter(|early| early.key().0 <= now());
            let Some(delivery) = early.map(|early| early.remove()) else { break };
            self.hand_out(delivery, budget, out);
        }
        while !budget.is_spent() {
            let Some(incoming) = self.arrived.pop_front() else { break };
            let (delivery, due) = self.read(incoming, &now);
            match due {
                Some(due) if due > now() => drop(self.early.insert((due, delivery.token.number), delivery)),
                _ => self.hand_out(delivery, budget, out),
            }
        }
    }

    /// The delivery in what came, and when it is due where it was to wait.
    fn read(&mut self, incoming: Incoming, now: impl Fn() -> Timestamp) -> (Delivery, Option<Timestamp>) {
        let token = Token { epoch: self.epoch, number: incoming.delivery_tag };
        let topic = match &self.last_topic {
            Some(topic) if **topic == *incoming.exchange.as_str() => topic.clone(),
            _ => self.last_topic.insert(Topic::from(incoming.exchange.to_string())).clone(),
        };
        let Incoming { properties, data, redelivered, .. } = incoming;
        let (mut message, attempt) = wire::message(&properties, data, topic, redelivered, now);
        let retry = retry_queues::restore(&mut message);
        let before = retry.as_ref().map_or(0, |retry| retry.attempt.saturating_sub(1));
        let mut delivery = Delivery::new(Arc::new(message), token).attempt(before.saturating_add(attempt));
        delivery.partition = self.partition;
        (delivery, retry.map(|retry| retry.due))
    }

    fn hand_out(&mut self, delivery: Delivery, budget: &mut Budget, out: &mut Vec<Delivery>) {
        if let Some(held) = &mut self.held {
            let (message, attempt) = (Arc::clone(&delivery.message), delivery.attempt);
            held.insert(delivery.token.number, Held { message, attempt });
        }
        budget.spend(delivery.message.size());
        out.push(delivery);
    }

    /// When the next one is due that came back too early.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.early.first_key_value().map(|((due, _), _)| *due)
    }

    /// How long the oldest delivery has been here unsettled, where there is one.
    pub(crate) fn oldest(&mut self) -> Option<Instant> {
        let oldest = self.tracker.position();
        while self.since.get(1).is_some_and(|(tag, _)| *tag <= oldest) {
            self.since.pop_front();
        }
        (self.tracker.unsettled() > 0).then(|| self.since.front().map(|(_, since)| *since)).flatten()
    }

    /// How many deliveries are unsettled, those included that were not handed out.
    pub(crate) fn unsettled(&self) -> usize {
        self.tracker.unsettled()
    }

    /// How many deliveries were handed out and are unsettled.
    pub(crate) fn handed_out(&self) -> usize {
        self.unsettled() - self.arrived.len() - self.early.len()
    }

    /// Whether anything has come: it is the one of the queue's consumers that reads.
    pub(crate) fn has_read(&self) -> bool {
        self.tracker.end() > 1
    }

    /// Whether the delivery with this tag is unsettled.
    pub(crate) fn holds(&self, tag: u64) -> bool {
        self.tracker.is_unsettled(tag)
    }

    /// A delivery that is to be handed back for later, while it is unsettled.
    pub(crate) fn held(&self, tag: u64) -> Option<Held> {
        self.held.as_ref()?.get(&tag).cloned()
    }

    /// Acks deliveries; tags that are settled are ignored. What has become of everything up to some tag is told at once.
    pub(crate) fn ack(&mut self, tags: &mut Vec<u64>) {
        tags.retain(|tag| self.settle(*tag));
        let position = self.tracker.position();
        // The server must not have heard of the tag that stands for all before it: one of these it has not.
        let prefix = tags.iter().copied().filter(|tag| *tag < position).max();
        if let Some(tag) = prefix {
            self.send_ack(tag, true);
        }
        for tag in tags.iter().copied().filter(|tag| *tag > position) {
            self.send_ack(tag, false);
        }
    }

    /// Hands a delivery back, to be delivered again at once; a tag that is settled is ignored.
    pub(crate) fn requeue(&mut self, tag: u64) {
        if self.settle(tag) {
            let options = BasicNackOptions { multiple: false, requeue: true };
            // Written behind what was written before; should the connection be lost, it is delivered again in any case.
            let _ = self.channel.basic_nack(tag, options).now_or_never();
        }
    }

    fn settle(&mut self, tag: u64) -> bool {
        if let Some(held) = &mut self.held {
            held.remove(&tag);
        }
        self.tracker.settle(tag)
    }

    fn send_ack(&mut self, tag: u64, multiple: bool) {
        self.acks += 1;
        // As above.
        let _ = self.channel.basic_ack(tag, BasicAckOptions { multiple }).now_or_never();
    }

    /// Ends: what is unsettled goes back to the queue as one, in its order, before another member reads on. The channel ends,
    /// and not the consumer alone: that would keep what is unsettled while another begins.
    ///
    /// # Cancellation
    ///
    /// Dropped, it ends the channel all the same; the last acks may then have no effect.
    pub(crate) async fn end(self) {
        let Consumer { channel, incoming, acks, order, .. } = self;
        if acks > SURE_ACKS {
            // On a channel that has ended there is nothing to wait for.
            let _ = acks_are_heard(&channel, &incoming, order).await;
        }
        let _ = channel.close(200, "leaving".into()).await;
    }
}

/// Waits until the queue has heard of every ack that was written to `channel`.
///
/// The server's end of a channel passes 32 acks on to a quorum queue, and keeps others until the queue has stored these; what
/// it keeps ends with the channel. So it is asked for something that the queue answers, which it does when it has stored what
/// it was told before; then for something that the channel answers, which it does when it has passed on what it kept.
async fn acks_are_heard(channel: &Channel, incoming: &lapin::Consumer, order: Order) -> lapin::Result<()> {
    match order {
        // Another consumer stands by, and nothing changes. Without this one, the next would begin before what is unsettled
        // here is back.
        Order::Key => {
            let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
            channel.basic_consume(incoming.queue(), "".into(), options, arguments).await?;
        }
        Order::None => channel.basic_cancel(incoming.tag(), BasicCancelOptions::default()).await?,
    }
    channel.basic_qos(1, BasicQosOptions::default()).await
}

/// How much may still be handed out.
pub(crate) struct Budget {
    events: usize,
    bytes: usize,
}

impl Budget {
    /// As much as is demanded, and at most so many `events`.
    pub(crate) fn new(demand: Demand, events: usize) -> Self {
        Budget { events: demand.events.min(events), bytes: demand.bytes }
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.events == 0 || self.bytes == 0
    }

    fn spend(&mut self, bytes: usize) {
        self.events -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// At which age of its oldest delivery a consumer hands everything back, where the server does so at `limit`.
pub(crate) fn patience(limit: Duration) -> Duration {
    limit / 5 * 4
}
