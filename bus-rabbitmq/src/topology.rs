//! The exchanges and queues of a group, and how they are bound.

use jitney_core::Error;
use jitney_core::transport::{Mode, Subscription};
use lapin::options::{
    ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use crate::config::Order;
use crate::{error, names, retry_queues, wire};

/// What a group needs on the server.
#[derive(Debug)]
pub(crate) struct Topology {
    group: String,
    mode: Mode,
    partitions: u32,
    /// Topic and routing key.
    bindings: Vec<(String, String)>,
    has_retries: bool,
    order: Order,
}

impl Topology {
    pub(crate) fn new(subscription: &Subscription, order: Order, partitions: u32) -> Self {
        let mut bindings = Vec::new();
        for interest in &subscription.interests {
            let keys = names::binding_keys(interest);
            bindings.extend(keys.into_iter().map(|key| (interest.topic.clone(), key)));
        }
        bindings.sort_unstable();
        bindings.dedup();
        let Subscription { group, mode, delayed_retry: has_retries, .. } = subscription.clone();
        let partitions = if mode == Mode::Competing { partitions } else { 1 };
        Topology { group, mode, partitions, bindings, has_retries, order }
    }

    /// In how many queues the group's events are.
    pub(crate) fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Sees to it that everything is there, and answers the name of the queue of `partition`.
    ///
    /// # Errors
    ///
    /// When something is there with another shape, or the server refuses; the channel has then ended.
    pub(crate) async fn declare(&self, channel: &Channel, partition: u32) -> Result<String, Error> {
        let group = &self.group;
        let letters = names::dead_letters(group);
        quorum_queue(channel, &letters, FieldTable::default()).await?;
        if self.mode == Mode::Broadcast {
            let queue = own_queue(channel, group).await?;
            self.bind(channel, Bound::Queue(&queue)).await?;
            return Ok(queue);
        }
        let (queue, bound, next) = match self.partitions {
            1 => {
                quorum_queue(channel, group, self.arguments(&letters)).await?;
                (group.clone(), Bound::Queue(group), goes_on_to("", Some(group)))
            }
            partitions => {
                self.declare_partitions(channel, partitions, &letters).await?;
                (names::partition(group, partition), Bound::Exchange(group), goes_on_to(group, None))
            }
        };
        if self.has_retries {
            for retries in retry_queues::names(group) {
                quorum_queue(channel, &retries, next.clone()).await?;
            }
        }
        self.bind(channel, bound).await?;
        Ok(queue)
    }

    /// An exchange that parts events by their keys, and the queues behind it.
    async fn declare_partitions(
        &self,
        channel: &Channel,
        partitions: u32,
        letters: &str,
    ) -> Result<(), Error> {
        let group = &self.group;
        // Nothing goes to a queue of the group's own name. It stands for the number of partitions, so that the server refuses
        // another one; and its consumers are counted.
        let doing =
            format!("declaring queue `{group}`, which stands for {partitions} partitions of the group");
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(partitions.into()));
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare(names::short(&doing, group)?, durable, arguments).await;
        declared.map_err(|error| error::failed(&doing, &error))?;
        let doing = format!("declaring the exchange that parts the events of group `{group}`");
        let name = names::exchange(&doing, group)?;
        let mut arguments = FieldTable::default();
        arguments.insert("hash-header".into(), AMQPValue::LongString(wire::KEY_HEADER.into()));
        let kind = ExchangeKind::Custom("x-consistent-hash".to_owned());
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared = channel.exchange_declare(name.clone(), kind, durable, arguments).await;
        declared.map_err(|error| error::no_exchange_kind(&doing, &error))?;
        for partition in 0..partitions {
            let queue = names::partition(group, partition);
            quorum_queue(channel, &queue, self.arguments(letters)).await?;
            let doing = format!("binding partition `{queue}` of group `{group}`");
            let (bound, one_share) = (names::short(&doing, &queue)?, "1".into());
            let options = QueueBindOptions::default();
            let binding = channel.queue_bind(bound, name.clone(), one_share, options, FieldTable::default());
            binding.await.map_err(|error| error::failed(&doing, &error))?;
        }
        Ok(())
    }

    /// Binds what gets the group's events to the topics: last, so that they find everything in its place.
    async fn bind(&self, channel: &Channel, bound: Bound<'_>) -> Result<(), Error> {
        let mut declared = None;
        for (topic, key) in &self.bindings {
            if declared != Some(topic) {
                exchange(channel, topic).await?;
                declared = Some(topic);
            }
            let doing = format!("binding group `{}` to topic `{topic}`", self.group);
            let (source, key) = (names::exchange(&doing, topic)?, names::short(&doing, key)?);
            let arguments = FieldTable::default();
            let binding = match bound {
                Bound::Queue(queue) => {
                    let queue = names::short(&doing, queue)?;
                    channel.queue_bind(queue, source, key, QueueBindOptions::default(), arguments).await
                }
                Bound::Exchange(exchange) => {
                    let exchange = names::short(&doing, exchange)?;
                    channel
                        .exchange_bind(exchange, source, key, ExchangeBindOptions::default(), arguments)
                        .await
                }
            };
            binding.map_err(|error| error::failed(&doing, &error))?;
        }
        Ok(())
    }

    fn arguments(&self, letters: &str) -> FieldTable {
        // What the broker gives up by itself is a dead letter too.
        let mut arguments = goes_on_to("", Some(letters));
        if self.order == Order::Key {
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        }
        arguments
    }
}

/// Deletes the queues of `group`, which has so many partitions, with what waits in them; its dead letters stay.
pub(crate) async fn delete(channel: &Channel, group: &str, partitions: u32) -> Result<(), Error> {
    let doing = format!("deleting group `{group}`");
    if partitions > 1 {
        let options = ExchangeDeleteOptions::default();
        let deleting = channel.exchange_delete(names::exchange(&doing, group)?, options);
        deleting.await.map_err(|error| error::failed(&doing, &error))?;
    }
    let own = std::iter::once(group.to_owned());
    let parts =
        (0..partitions).filter(|_| partitions > 1).map(|partition| names::partition(group, partition));
    for queue in own.chain(parts).chain(retry_queues::names(group)) {
        let deleting = channel.queue_delete(names::short(&doing, &queue)?, QueueDeleteOptions::default());
        deleting.await.map_err(|error| error::failed(&doing, &error))?;
    }
    Ok(())
}

/// What gets the events of topics.
#[derive(Clone, Copy)]
enum Bound<'a> {
    Queue(&'a str),
    Exchange(&'a str),
}

/// Declares the exchange of `topic`.
pub(crate) async fn exchange(channel: &Channel, topic: &str) -> Result<(), Error> {
    let doing = format!("declaring the exchange of topic `{topic}`");
    let name = names::exchange(&doing, topic)?;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared = channel.exchange_declare(name, ExchangeKind::Topic, options, FieldTable::default()).await;
    declared.map_err(|error| error::failed(&doing, &error))
}

/// Arguments of a queue that hands to `exchange`, and there to the queue `next` where it is given, what expires in it or is
/// given up; nothing is lost on the way.
fn goes_on_to(exchange: &str, next: Option<&str>) -> FieldTable {
    let mut arguments = FieldTable::default();
    let mut text = |name: &str, value: &str| {
        arguments.insert(name.into(), AMQPValue::LongString(value.into()));
    };
    text("x-dead-letter-exchange", exchange);
    if let Some(next) = next {
        text("x-dead-letter-routing-key", next);
    }
    text("x-dead-letter-strategy", "at-least-once");
    text("x-overflow", "reject-publish");
    arguments
}

async fn quorum_queue(channel: &Channel, name: &str, mut arguments: FieldTable) -> Result<(), Error> {
    let doing = format!("declaring queue `{name}`");
    let queue = names::short(&doing, name)?;
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(queue, options, arguments).await;
    declared.map(drop).map_err(|error| error::failed(&doing, &error))
}

/// A queue of one member's own, which goes with it.
async fn own_queue(channel: &Channel, group: &str) -> Result<String, Error> {
    let doing = format!("declaring a queue for a member of broadcast group `{group}`");
    let options =
        QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare("".into(), options, FieldTable::default()).await;
    declared.map(|queue| queue.name().to_string()).map_err(|error| error::failed(&doing, &error))
}
