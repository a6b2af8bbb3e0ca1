//! What a group asks of a transport.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Delivery, Position, Settler, Source};

/// A group's wish to be sent events.
///
/// Made by [`Subscription::new`]; the fields that are not as they should be are set afterwards.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Subscription {
    /// The name of the group; members of one group share its deliveries.
    pub group: String,
    /// The service that the group belongs to.
    pub service: String,
    /// Which of the members of the group in this process it is for, from 0.
    pub member: u32,
    /// Topics and event types.
    pub interests: Vec<Interest>,
    /// Who gets each event.
    pub mode: Mode,
    /// Where a group that never settled anything begins.
    pub start: Start,
    /// At most so many deliveries are with this member at any time, settled ones not counted.
    pub prefetch: usize,
    /// Whether deliveries are handed back with [`Settle::Retry`](super::Settle::Retry) to be held back by the broker: a
    /// backend that needs a place for them has it ready.
    pub delayed_retry: bool,
    /// Whether settlements come with outputs, to be stored in one transaction with them.
    pub exactly_once: bool,
}

impl Subscription {
    /// The wish of `group` for `interests`: competing, from the oldest event on, 1,024 deliveries at a time.
    pub fn new(group: impl Into<String>, interests: Vec<Interest>) -> Self {
        Subscription {
            group: group.into(),
            service: "jitney".to_owned(),
            member: 0,
            interests,
            mode: Mode::Competing,
            start: Start::Earliest,
            prefetch: 1024,
            delayed_retry: false,
            exactly_once: false,
        }
    }
}

/// The events of one topic that a group has handlers for.
///
/// Made by [`Interest::all`]; the fields that are not as they should be are set afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interest {
    /// The topic.
    pub topic: String,
    /// The foreign system that sends the events, where it is not one of ours: they carry no envelope.
    pub source: Option<String>,
    /// The aggregate type, where all events of the topic are of one.
    pub aggregate: Option<String>,
    /// The event types on the wire, old ones that are upcast included; all of them where it is empty.
    pub event_types: Vec<String>,
}

impl Interest {
    /// All events of `topic`.
    pub fn all(topic: impl Into<String>) -> Self {
        Interest { topic: topic.into(), source: None, aggregate: None, event_types: Vec::new() }
    }
}

/// Who gets each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One member of the group.
    Competing,
    /// Every member; a member that goes leaves nothing behind.
    Broadcast,
}

/// Where a group begins that never settled anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// With the oldest event there is.
    Earliest,
    /// With the next event that is published.
    Latest,
    /// With the first event at or after these positions. In a partition that is not named, a new group begins with the
    /// oldest event, and a group that is sent there stays where it is.
    Positions(Vec<PartitionPosition>),
    /// With the first event at or after a time.
    Time(Timestamp),
}

/// A place in one partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionPosition {
    /// The topic.
    pub topic: String,
    /// Its partition.
    pub partition: u32,
    /// The place in it.
    pub position: Position,
}

impl PartitionPosition {
    /// The place of `delivery`; none where its backend has no positions.
    pub fn of(delivery: &Delivery) -> Option<Self> {
        let topic = delivery.message.topic.to_string();
        delivery.position.map(|position| PartitionPosition { topic, partition: delivery.partition, position })
    }
}

impl Start {
    /// The position that is named for a partition.
    pub fn position_in(&self, topic: &str, partition: u32) -> Option<Position> {
        let Start::Positions(places) = self else { return None };
        let place = places.iter().find(|place| place.partition == partition && place.topic == topic);
        place.map(|place| place.position)
    }
}

/// A member of a group: what it receives, and where it answers.
pub struct Subscribed {
    /// The receiving half.
    pub source: Box<dyn Source>,
    /// The answering half.
    pub settler: Arc<dyn Settler>,
}

impl fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribed").finish_non_exhaustive()
    }
}
