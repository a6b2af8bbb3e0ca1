//! Topics, positions and lag: what operators and tests ask of a transport.

use std::time::Duration;

use async_trait::async_trait;

use crate::dead_letter::DeadLetter;
use crate::message::Message;
use crate::transport::{Start, Subscription};
use crate::{Error, ErrorKind};

/// What can be asked of a backend beside publishing and subscribing.
///
/// Each call fails with [`ErrorKind::Unsupported`] where the backend has no such thing.
#[async_trait]
pub trait Admin: Send + Sync {
    /// Creates the topics that are missing; those that exist are left alone.
    ///
    /// # Errors
    ///
    /// When one exists with another shape, or the broker refuses.
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), Error>;

    /// Makes the groups that are missing, with what they are fed by and what they put events aside in, without joining
    /// them: what is published from then on waits for them. Broadcast groups, which end with their members, are left out.
    ///
    /// # Errors
    ///
    /// When one exists in another shape, a topic is missing, or the broker refuses.
    async fn ensure_groups(&self, groups: &[Subscription]) -> Result<(), Error>;

    /// Ends `group`: its place is forgotten, and with it what waits for it alone. Its dead letters stay. A group that does
    /// not exist is no error.
    ///
    /// # Errors
    ///
    /// When it has members, or the broker refuses.
    async fn delete_group(&self, group: &str) -> Result<(), Error>;

    /// How far `group` is behind, per topic and partition.
    ///
    /// # Errors
    ///
    /// When the group is unknown, or the broker does not answer.
    async fn lag(&self, group: &str) -> Result<Vec<Lag>, Error>;

    /// Sends `group` back (or forward) to `start`, on every topic that it reads: what lies behind that place is
    /// delivered again.
    ///
    /// # Errors
    ///
    /// When the group is unknown, or what it is sent back to is no longer there.
    async fn seek(&self, group: &str, start: Start) -> Result<(), Error>;

    /// The oldest dead letters of `group`, at most `limit`, read without taking them away.
    ///
    /// # Errors
    ///
    /// When the broker does not answer.
    async fn dead_letters(&self, group: &str, limit: usize) -> Result<Vec<Message>, Error>;

    /// Stores a dead letter of the group that its failure names, beside those that the group's members settle: for batches
    /// that somebody else fetches and settles ([`App::serve_batches`](crate::App::serve_batches)). What it came by is left
    /// alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] where the backend stores dead letters for its own deliveries alone, which is what this does
    /// by default; or when the broker does not take it.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is stored.
    async fn store_dead_letter(&self, letter: &DeadLetter) -> Result<(), Error> {
        let what = format!(
            "storing a dead letter of group `{}`: this backend stores those of its own deliveries alone; let whoever delivered \
             it put it aside",
            letter.failure.group
        );
        Err(Error::new(ErrorKind::Unsupported, what))
    }
}

/// The shape of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// In how many partitions; the backend's default where it is not said.
    pub partitions: Option<u32>,
    /// How long events are kept; the backend's default where it is not said.
    pub retention: Option<Duration>,
}

impl TopicSpec {
    /// The topic `name` with the backend's defaults.
    pub fn new(name: impl Into<String>) -> Self {
        TopicSpec { name: name.into(), partitions: None, retention: None }
    }

    /// In so many partitions.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Keeping events for so long.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }
}

/// How far a group is behind in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// The topic.
    pub topic: String,
    /// The partition; 0 where the backend has none.
    pub partition: u32,
    /// Events that are not settled yet.
    pub events: u64,
}
