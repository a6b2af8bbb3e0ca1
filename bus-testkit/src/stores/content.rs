//! What the checks append.

use jitney_core::event::{DecodeError, EventType, StoredPayload, Version};
use jitney_core::{DomainEvent, Env};
use jitney_sourcing::NewEvent;
use serde::{Deserialize, Serialize};

/// The aggregate type of the counters that repositories work with.
pub(super) const AGGREGATE: &str = "ConformanceCounter";

/// A counter was incremented.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Incremented {
    pub(super) by: u64,
}

impl DomainEvent for Incremented {
    const TYPES: &'static [EventType] =
        &[EventType::new("Incremented", AGGREGATE, Version::new(1, 0), "ConformanceCounter-events")];

    fn event_type(&self) -> &'static EventType {
        &Self::TYPES[0]
    }

    fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> {
        if payload.is(&Self::TYPES[0]) { payload.read() } else { Err(payload.unknown()) }
    }
}

/// A new event that says `number`.
pub(super) fn event(env: &Env, number: u64) -> NewEvent {
    let event = NewEvent::new(env.new_id(), env.now(), &Incremented { by: number });
    event.expect("a number can be written as JSON")
}

/// A new event of the type `event_type`.
pub(super) fn event_of_type(env: &Env, event_type: &'static str) -> NewEvent {
    let mut event = event(env, 1);
    event.event_type = event_type.into();
    event
}
