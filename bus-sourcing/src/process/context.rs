//! What a process manager knows beside its state and its input.

use jiff::Timestamp;
use jitney_core::{Head, Id, Metadata};

/// Where and when a step of a process is made.
#[derive(Debug, Clone, Copy)]
pub struct ProcessContext<'a> {
    key: &'a str,
    now: Timestamp,
    event: Option<&'a Head>,
}

impl<'a> ProcessContext<'a> {
    /// The step of the process `key` at `now`, for the event of the head, or for a deadline where there is none.
    pub fn new(key: &'a str, now: Timestamp, event: Option<&'a Head>) -> Self {
        ProcessContext { key, now, event }
    }

    /// The key of the process.
    pub fn key(&self) -> &'a str {
        self.key
    }

    /// The time of this step, in whole milliseconds. When the event happened is in its [head](Self::event).
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The envelope of the input, without the payload; none for a deadline.
    pub fn event(&self) -> Option<&'a Head> {
        self.event
    }
}

/// What a step follows from: the ids and the metadata of what it sends are made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// The event, or for a deadline the step that has set it.
    pub id: Id,
    /// Chain, user and trace, with `id` as the cause.
    pub metadata: Metadata,
}

impl Cause {
    /// The event of `head`.
    pub fn of(head: &Head) -> Self {
        let mut metadata = Metadata::default();
        metadata.correlation_id = Some(head.correlation_id().clone());
        metadata.causation_id = Some(head.event_id.clone());
        metadata.user_id.clone_from(&head.metadata.user_id);
        metadata.trace.clone_from(&head.metadata.trace);
        Cause { id: head.event_id.clone(), metadata }
    }
}
