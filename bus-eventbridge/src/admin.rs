//! Lag, replay and dead letters.

use async_trait::async_trait;
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use jitney_core::admin::{Admin, Lag, TopicSpec};
use jitney_core::dead_letter::DeadLetter;
use jitney_core::message::Message;
use jitney_core::transport::{Mode, Start, Subscription};
use jitney_core::{Error, ErrorKind};

use crate::EventBridge;
use crate::error;
use crate::names::{Names, rule_arn};
use crate::plan::remove;
use crate::queue::Queue;

#[async_trait]
impl Admin for EventBridge {
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        // Topics are words in events here: there is nothing to make.
        let shaped = topics.iter().find(|spec| spec.partitions.is_some() || spec.retention.is_some());
        match shaped {
            None => Ok(()),
            Some(spec) => {
                let what = format!(
                    "making topic `{}` in a shape of its own: EventBridge has no partitions, and keeps events in archives; leave \
                     `partitions` and `retention` out, and give the bus an `archive`",
                    spec.name
                );
                Err(Error::new(ErrorKind::Unsupported, what))
            }
        }
    }

    async fn ensure_groups(&self, groups: &[Subscription]) -> Result<(), Error> {
        for group in groups.iter().filter(|group| group.mode == Mode::Competing) {
            let doing = format!("making group `{}` of {}", group.group, self.bus().url);
            self.prepare(group, &doing).await?;
        }
        Ok(())
    }

    /// Its rules and its queue go; the queue for its dead letters stays.
    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        if self.has_members(group) {
            return Err(Error::config(format!(
                "ending group `{group}` of {}: it has members here; stop them first",
                self.bus().url
            )));
        }
        self.forget(group).await;
        remove(self.bus(), group).await
    }

    /// One number for the group's whole queue, under the queue's name: what waits, what is being handled and what is held back.
    /// SQS counts approximately, and is exact when nothing has moved for a minute.
    async fn lag(&self, group: &str) -> Result<Vec<Lag>, Error> {
        let doing = format!("asking for the lag of group `{group}` of {}", self.bus().url);
        let queue = self.queue_of(group, &doing).await?;
        let counts = [
            Attribute::ApproximateNumberOfMessages,
            Attribute::ApproximateNumberOfMessagesNotVisible,
            Attribute::ApproximateNumberOfMessagesDelayed,
        ];
        let request = queue.client.get_queue_attributes().queue_url(&queue.url);
        let answer = request.set_attribute_names(Some(counts.to_vec())).send().await;
        let found = answer.map_err(|error| error::failed(&doing, &error))?.attributes.unwrap_or_default();
        let count = |name: &Attribute| found.get(name).and_then(|count| count.parse::<u64>().ok());
        let events = counts.iter().filter_map(count).sum();
        Ok(vec![Lag { topic: Names::of(group).queue, partition: 0, events }])
    }

    /// `Time` and `Earliest` have the archive's events delivered again, beside what waits in the queue; `Latest` empties the
    /// queue.
    async fn seek(&self, group: &str, start: Start) -> Result<(), Error> {
        let bus = self.bus();
        let doing = format!("sending group `{group}` of {} to another place", bus.url);
        let queue = self.queue_of(group, &doing).await?;
        if start == Start::Latest {
            let purged = queue.client.purge_queue().queue_url(&queue.url).send().await;
            return purged.map(drop).map_err(|error| error::failed(&doing, &error));
        }
        self.replay(group, &start, &doing).await
    }

    async fn dead_letters(&self, group: &str, limit: usize) -> Result<Vec<Message>, Error> {
        let doing = format!("reading the dead letters of group `{group}` of {}", self.bus().url);
        let queue = self.queue_of(group, &doing).await?;
        queue.read_dead_letters(limit, self.env()).await
    }

    async fn store_dead_letter(&self, letter: &DeadLetter) -> Result<(), Error> {
        let group = &*letter.failure.group;
        let doing = format!("storing a dead letter of group `{group}` of {}", self.bus().url);
        let dead_letters = self.url_of(&Names::of(group).dead_letters, &doing).await?;
        self.queue(group, String::new(), dead_letters).bury(letter).await
    }
}

impl EventBridge {
    /// Has the archive's events from `start` on delivered again to `group`.
    pub(crate) async fn replay(&self, group: &str, start: &Start, doing: &str) -> Result<(), Error> {
        let unsupported = |why: &str| Error::new(ErrorKind::Unsupported, format!("{doing}: {why}"));
        let Some(archive) = self.archive() else {
            return Err(unsupported(
                "the bus has no archive that this transport knows; name one with `archive=…`: it keeps what is published from \
                 then on",
            ));
        };
        let Some(time) = archive.time_of(start) else {
            return Err(unsupported(
                "EventBridge knows no positions; go back to a time (`Start::Time`), or to the beginning of the archive \
                 (`Start::Earliest`)",
            ));
        };
        let bus = self.bus();
        let names = Names::of(group);
        let mut rules = Vec::new();
        loop {
            let name = names.rule(rules.len());
            let found = bus.clients.events.describe_rule().name(&name).event_bus_name(&bus.name).send().await;
            match found {
                Ok(_) => rules.push(rule_arn(&bus.arn, &bus.name, &name)),
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|error| error.is_resource_not_found_exception()) =>
                {
                    break;
                }
                Err(error) => return Err(error::failed(doing, &error)),
            }
        }
        archive.replay(bus, (group, &rules), time, self.env()).await
    }

    /// The queues of `group`, which must be there.
    async fn queue_of(&self, group: &str, doing: &str) -> Result<Queue, Error> {
        let names = Names::of(group);
        let url = self.url_of(&names.queue, doing).await?;
        let dead_letters = self.url_of(&names.dead_letters, doing).await?;
        Ok(self.queue(group, url, dead_letters))
    }

    /// Where the queue `name` of a group is, which must be there.
    async fn url_of(&self, name: &str, doing: &str) -> Result<String, Error> {
        match self.bus().clients.queues.get_queue_url().queue_name(name).send().await {
            Ok(found) => Ok(found.queue_url.unwrap_or_default()),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_queue_does_not_exist()) => {
                Err(Error::config(format!(
                    "{doing}: it has no queue `{name}`; a group begins with its first subscription, or with `App::provision`: \
                     check its name"
                )))
            }
            Err(error) => Err(error::failed(doing, &error)),
        }
    }
}
