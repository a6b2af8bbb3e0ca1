//! Events that a projection cannot handle, and what became of them.

use std::fmt;

use jiff::Timestamp;
use jitney_core::handler::HandlerError;
use jitney_core::{Env, Id, error_chain};
use serde::{Deserialize, Serialize};

use crate::{Position, StoredEvent, StreamId};

/// An event that a projection could not handle, and why. Stored beside the checkpoint as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PoisonEvent {
    /// The id of the event: the argument of [`skip`](super::ProjectionHandle::skip).
    pub event_id: Id,
    /// The type of its aggregate.
    pub aggregate_type: String,
    /// The id of its aggregate.
    pub aggregate_id: String,
    /// Its place in its stream.
    pub sequence: u64,
    /// Its event type.
    pub event_type: String,
    /// The version that it is stored under.
    pub version: String,
    /// Its place among all events.
    pub position: Position,
    /// What went wrong, with its causes.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When the last attempt failed, in milliseconds since 1970.
    pub time_ms: i64,
}

impl PoisonEvent {
    pub(super) fn new(event: &StoredEvent, error: &HandlerError, attempts: u32, env: &Env) -> Self {
        let head = event.head();
        PoisonEvent {
            event_id: head.event_id.clone(),
            aggregate_type: head.aggregate_type.to_string(),
            aggregate_id: head.aggregate_id.to_string(),
            sequence: event.sequence(),
            event_type: head.event_type.to_string(),
            version: head.version.to_string(),
            position: event.position().clone(),
            // What every database takes in a text.
            error: error_chain(error.source_error()).replace('\0', "\u{fffd}"),
            attempts,
            time_ms: env.now().as_millisecond(),
        }
    }

    /// The stream of the event.
    pub fn stream(&self) -> StreamId {
        StreamId::new(self.aggregate_type.clone(), self.aggregate_id.clone())
    }

    /// When the last attempt failed.
    pub fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.time_ms).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for PoisonEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PoisonEvent { event_id, sequence, event_type, version, error, .. } = self;
        let stream = self.stream();
        write!(f, "event {sequence} of stream {stream} (`{event_type}` {version}, id {event_id}): {error}")
    }
}

/// An event that was passed without having been handled, of which this is the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PassedEvent {
    /// The event, and why it could not be handled.
    pub event: PoisonEvent,
    /// Whether somebody had it [skipped](super::ProjectionHandle::skip); otherwise it was
    /// [parked](super::OnFailure::Park).
    pub skipped: bool,
}

impl PassedEvent {
    /// The record of `event`.
    pub fn new(event: PoisonEvent, skipped: bool) -> Self {
        PassedEvent { event, skipped }
    }
}
