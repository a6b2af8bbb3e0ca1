//! What a group asks of a transport.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Position, Settler, Source};

/// A group's wish to be sent events.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The name of the group; members of one group share its deliveries.
    pub group: String,
    /// Topics and event types.
    pub interests: Vec<Interest>,
    /// Who gets each event.
    pub mode: Mode,
    /// Where a group that never settled anything begins.
    pub start: Start,
    /// At most so many deliveries are with this member at any time, settled ones not counted.
    pub prefetch: usize,
}

/// The events of one topic that a group has handlers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interest {
    /// The topic.
    pub topic: String,
    /// The aggregate type, where all events of the topic are of one.
    pub aggregate: Option<String>,
    /// The event types on the wire, old ones that are upcast included; all of them where it is empty.
    pub event_types: Vec<String>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the oldest event there is.
    Earliest,
    /// With the next event that is published.
    Latest,
    /// With the first event at or after a position, in every partition.
    Position(Position),
    /// With the first event at or after a time.
    Time(Timestamp),
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
