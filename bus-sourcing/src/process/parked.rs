//! Inputs that were put aside.

use jiff::Timestamp;
use jitney_core::Id;
use jitney_core::event::StoredPayload;

use crate::{StoredEvent, StreamId};

/// An event of the event store that a process manager could not handle, and that was passed over; or one that is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedInput {
    /// The id of the event.
    pub event_id: Id,
    /// The stream that has it; none where it was only named so far.
    pub stream: Option<StreamId>,
    /// What it was: type, version and sequence.
    pub what: String,
    /// Why it could not be handled; none where it is to be passed over when it is met.
    pub error: Option<String>,
    /// When it was put aside, or named.
    pub at: Timestamp,
}

impl ParkedInput {
    /// `event`, which has failed with `error`.
    pub(super) fn failed(event: &StoredEvent, error: &crate::Error, at: Timestamp) -> Self {
        ParkedInput {
            event_id: event.head().event_id.clone(),
            stream: Some(event.stream()),
            what: describe(event),
            error: Some(jitney_core::error_chain(error)),
            at,
        }
    }
}

/// An event, for people.
pub(super) fn describe(event: &StoredEvent) -> String {
    let (head, sequence) = (event.head(), event.sequence());
    format!("event {sequence} of stream {} (`{}` {})", event.stream(), head.event_type, head.version)
}

/// The payload of an event, to be read.
pub(super) fn payload(event: &StoredEvent) -> StoredPayload<'_> {
    let head = event.head();
    StoredPayload::new(&head.event_type, head.version, event.payload_json())
        .of_aggregate(&head.aggregate_type)
}
