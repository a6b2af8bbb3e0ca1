//! Topics, lag, replay and dead letters.

mod groups;
mod letters;

pub(crate) use groups::begin;

use async_trait::async_trait;
use jitney_core::admin::{Admin, Lag, TopicSpec};
use jitney_core::message::Message;
use jitney_core::transport::{Mode, Start, Subscription};
use jitney_core::{Error, dead_letter};

use crate::Kafka;

#[async_trait]
impl Admin for Kafka {
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        let cluster = &self.inner.cluster;
        let mut missing = Vec::new();
        for spec in topics {
            if spec.partitions == Some(0) {
                let name = &spec.name;
                return Err(Error::config(format!(
                    "making topic `{name}`: it must have at least one partition, not 0"
                )));
            }
            match cluster.shape_of(&spec.name).await? {
                None => missing.push(spec.clone()),
                Some(shape) => {
                    if let Some(wanted) = spec.partitions.filter(|wanted| *wanted != shape.partitions) {
                        return Err(other_partitions(&spec.name, wanted, shape.partitions));
                    }
                    if let Some(wanted) = spec.retention {
                        cluster.check_retention(&spec.name, wanted).await?;
                    }
                }
            }
        }
        if missing.is_empty() { Ok(()) } else { cluster.create(&missing, &[]).await }
    }

    async fn ensure_groups(&self, groups: &[Subscription]) -> Result<(), Error> {
        for group in groups.iter().filter(|group| group.mode == Mode::Competing) {
            self.ensure_group(group).await?;
        }
        Ok(())
    }

    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        self.inner.cluster.delete_group(group).await
    }

    async fn lag(&self, group: &str) -> Result<Vec<Lag>, Error> {
        groups::lag(self, group).await
    }

    async fn seek(&self, group: &str, start: Start) -> Result<(), Error> {
        groups::seek(self, group, &start).await
    }

    async fn dead_letters(&self, group: &str, limit: usize) -> Result<Vec<Message>, Error> {
        letters::read(&self.inner.cluster, &dead_letter::topic(group), limit).await
    }
}

fn other_partitions(name: &str, wanted: u32, there: u32) -> Error {
    let instead = if wanted > there {
        "growing it would move keys to other partitions, past their own order: ask for it with `Kafka::add_partitions`, or \
         use another name"
    } else {
        "partitions cannot be taken away: use another name"
    };
    Error::config(format!("making topic `{name}` in {wanted} partitions: it exists with {there}; {instead}"))
}

impl Kafka {
    /// Grows a topic to `partitions`. Keys move to other partitions with it: an event may be handled before an earlier one of
    /// its key that is still in the old partition. Let groups work everything off before, where order matters.
    ///
    /// # Errors
    ///
    /// When the topic does not exist or has as many already, or the cluster refuses.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether the topic is grown.
    pub async fn add_partitions(&self, topic: &str, partitions: u32) -> Result<(), Error> {
        self.inner.cluster.grow(topic, partitions).await
    }
}
