//! One message on its way to one group.

use std::fmt;
use std::sync::Arc;

use crate::message::Message;

/// One message, delivered to one group; it is settled through its [`Token`].
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What was published.
    pub message: Arc<Message>,
    /// The partition of the topic; 0 where the backend has none.
    pub partition: u32,
    /// Where it lies, for backends that can go back there.
    pub position: Option<Position>,
    /// Which delivery this is of the message to this group, from 1, as far as the backend counts.
    pub attempt: u32,
    /// The assignment or connection that it came by.
    pub epoch: Epoch,
    /// By which it is settled.
    pub token: Token,
}

impl Delivery {
    /// The first delivery of `message`, under `token`, of a backend without partitions.
    pub fn new(message: Arc<Message>, token: Token) -> Self {
        let epoch = token.epoch;
        Delivery { message, partition: 0, position: None, attempt: 1, epoch, token }
    }

    /// The same from a place in a partition.
    #[must_use]
    pub fn at(mut self, partition: u32, position: Position) -> Self {
        (self.partition, self.position) = (partition, Some(position));
        self
    }

    /// The same, delivered so many times in all.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }
}

/// The number of one assignment of one partition, or of one connection: a backend gives out a new one whenever
/// deliveries could come twice. What is settled under an older one is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// Names one delivery of one subscription, for its settler alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// The assignment or connection that the delivery came by.
    pub epoch: Epoch,
    /// Unique within the epoch.
    pub number: u64,
}

/// A place in a partition of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
