//! Topics, lag and dead letters.

use std::time::Duration;

use async_trait::async_trait;
use jitney_core::admin::{Admin, Lag, TopicSpec};
use jitney_core::message::{Message, Topic};
use jitney_core::transport::{Mode, Start, Subscription};
use jitney_core::{Error, ErrorKind};
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Queue};

use crate::client::check;
use crate::error::{Cause, cause};
use crate::topology::Topology;
use crate::{RabbitMq, error, names, topology, wire};

/// So often it is looked whether a group has members,
const LOOKS: u32 = 40;
/// with such a pause.
const PAUSE: Duration = Duration::from_millis(50);

#[async_trait]
impl Admin for RabbitMq {
    /// Declares the exchanges of topics. RabbitMQ keeps nothing for groups to come: a topic has neither partitions nor a
    /// retention.
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        for TopicSpec { name, partitions, retention, .. } in topics {
            let refused = match (partitions, retention) {
                (Some(partitions), _) if *partitions != 1 => Some("partitions"),
                (_, Some(_)) => Some("a retention"),
                _ => None,
            };
            if let Some(refused) = refused {
                let what = format!(
                    "declaring topic `{name}`: a topic of RabbitMQ is an exchange, which has no {refused}; leave it out",
                    refused = refused.trim_start_matches("a ")
                );
                return Err(Error::config(what));
            }
        }
        let doing = format!("declaring topics of {}", self.inner.consuming.describe());
        let declaring = async {
            let channel = self.inner.consuming.channel().await?;
            for topic in topics {
                topology::exchange(&channel, &topic.name).await?;
            }
            Ok(())
        };
        self.inner.consuming.ask(&doing, declaring).await
    }

    async fn ensure_groups(&self, groups: &[Subscription]) -> Result<(), Error> {
        let link = &self.inner.consuming;
        let doing = format!("making groups of {}", link.describe());
        for group in groups.iter().filter(|group| group.mode == Mode::Competing) {
            check(group, &format!("making group `{}` of {}", group.group, link.describe()))?;
        }
        let declaring = async {
            let channel = link.channel().await?;
            for group in groups.iter().filter(|group| group.mode == Mode::Competing) {
                Topology::new(group, link.config.order, link.config.partitions).declare(&channel, 0).await?;
            }
            Ok(())
        };
        link.ask(&doing, declaring).await
    }

    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let doing = format!("deleting group `{group}` of {}", self.inner.consuming.describe());
        let link = &self.inner.consuming;
        let deleting = async {
            // The server has no deleting of quorum queues that nobody uses, and counts a member that left for a moment.
            for attempt in 1.. {
                let there = look(&*link.channel().await?, &doing, group).await?;
                if there.is_none_or(|queue| queue.consumer_count() == 0) {
                    break;
                }
                if attempt == LOOKS || !self.members(Some(group)).is_empty() {
                    return Err(Error::config(format!("{doing}: it has members; stop them first")));
                }
                link.env.sleep(PAUSE).await;
            }
            topology::delete(&*link.channel().await?, group, link.config.partitions).await
        };
        self.inner.consuming.ask(&doing, deleting).await
    }

    /// What the queue of `group` holds, and what this transport's members of it have not settled. What members in other
    /// processes have not settled is not counted: AMQP does not tell.
    async fn lag(&self, group: &str) -> Result<Vec<Lag>, Error> {
        let doing =
            format!("asking how far group `{group}` of {} is behind", self.inner.consuming.describe());
        let partitions = self.inner.consuming.config.partitions;
        let members = self.members(Some(group));
        let counting = async {
            let channel = self.inner.consuming.channel().await?;
            let mut lags = Vec::new();
            for partition in 0..partitions {
                let queue =
                    if partitions == 1 { group.to_owned() } else { names::partition(group, partition) };
                let Some(ready) = count(&channel, &doing, &queue).await? else { return Ok(None) };
                let unsettled: usize = members.iter().map(|member| member.unsettled(partition)).sum();
                let events = u64::from(ready) + u64::try_from(unsettled).unwrap_or(u64::MAX);
                lags.push(Lag { topic: group.to_owned(), partition, events });
            }
            Ok(Some(lags))
        };
        self.inner.consuming.ask(&doing, counting).await?.ok_or_else(|| {
            Error::config(format!(
                "{doing}: there is no queue of this name; a group has one from its first member on"
            ))
        })
    }

    async fn seek(&self, group: &str, _start: Start) -> Result<(), Error> {
        let what = format!(
            "sending group `{group}` of {} elsewhere: a queue of RabbitMQ forgets what is settled; publish again what is to be \
             handled again, from an event store for example",
            self.inner.consuming.describe()
        );
        Err(Error::new(ErrorKind::Unsupported, what))
    }

    async fn dead_letters(&self, group: &str, limit: usize) -> Result<Vec<Message>, Error> {
        let queue = names::dead_letters(group);
        let doing =
            format!("reading the dead letters in queue `{queue}` of {}", self.inner.consuming.describe());
        let reading = async {
            let channel = self.inner.consuming.channel().await?;
            if count(&channel, &doing, &queue).await?.is_none() {
                return Ok(Vec::new());
            }
            let mut letters = Vec::new();
            // What goes back stands before what was never read, but behind what else went back: to keep the order, all of
            // that is read again.
            let mut is_read_before = limit > 0;
            while letters.len() < limit || is_read_before {
                let got = channel.basic_get(names::short(&doing, &queue)?, BasicGetOptions::default()).await;
                let Some(got) = got.map_err(|error| error::failed(&doing, &error))? else { break };
                let letter = got.delivery;
                is_read_before = letter.redelivered;
                if letters.len() < limit {
                    let (topic, now) = (Topic::from(queue.clone()), || self.inner.consuming.env.now());
                    letters
                        .push(wire::message(&letter.properties, letter.data, topic, is_read_before, now).0);
                }
            }
            // With the channel they all go back, in their order.
            let closed = channel.close(200, "read".into()).await;
            closed.map_err(|error| error::failed(&doing, &error))?;
            Ok(letters)
        };
        self.inner.consuming.ask(&doing, reading).await
    }
}

/// How many messages wait in `queue`; none where there is no such queue, and the channel has ended then.
async fn count(channel: &Channel, doing: &str, queue: &str) -> Result<Option<u32>, Error> {
    Ok(look(channel, doing, queue).await?.map(|queue| queue.message_count()))
}

/// What there is to know of `queue`; as above.
async fn look(channel: &Channel, doing: &str, queue: &str) -> Result<Option<Queue>, Error> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(names::short(doing, queue)?, options, FieldTable::default()).await {
        Ok(queue) => Ok(Some(queue)),
        Err(error) if cause(&error) == Cause::NotFound => Ok(None),
        Err(error) => Err(error::failed(doing, &error)),
    }
}
