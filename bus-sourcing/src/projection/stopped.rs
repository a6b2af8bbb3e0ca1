//! Why a projection handles no more events.

use std::fmt;

use jiff::Timestamp;
use jitney_core::{Env, Id, error_chain};
use serde::{Deserialize, Serialize};

use super::PoisonEvent;
use crate::Error;

/// Why a shard has stopped. Stored beside the checkpoint as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Stopped {
    /// It cannot handle an event. It is [resumed](super::ProjectionHandle::resume) when that is mended, or told to
    /// [skip](super::ProjectionHandle::skip) it.
    At(PoisonEvent),
    /// It cannot read what is next in the store, and trying again would not change that: a row that was damaged, say. It is
    /// [resumed](super::ProjectionHandle::resume) when that is mended.
    Reading {
        /// What went wrong, with its causes.
        error: String,
        /// When, in milliseconds since 1970.
        time_ms: i64,
    },
}

impl Stopped {
    pub(super) fn reading(error: &Error, env: &Env) -> Self {
        // What every database takes in a text.
        let error = error_chain(error).replace('\0', "\u{fffd}");
        Stopped::Reading { error, time_ms: env.now().as_millisecond() }
    }

    /// The event that it cannot handle, where it is one.
    pub fn event(&self) -> Option<&PoisonEvent> {
        match self {
            Stopped::At(event) => Some(event),
            Stopped::Reading { .. } => None,
        }
    }

    /// Whether it is the event of this id.
    pub fn is_at(&self, event_id: &Id) -> bool {
        self.event().is_some_and(|event| event.event_id == *event_id)
    }

    /// When it has stopped.
    pub fn time(&self) -> Timestamp {
        match self {
            Stopped::At(event) => event.time(),
            Stopped::Reading { time_ms, .. } => {
                Timestamp::from_millisecond(*time_ms).unwrap_or(Timestamp::UNIX_EPOCH)
            }
        }
    }
}

/// What is said behind the name of who it is.
impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::At(event) => {
                write!(f, "has stopped at {event}; mend it and resume it, or skip the event")
            }
            Stopped::Reading { error, .. } => write!(
                f,
                "has stopped, since what is next in the store cannot be read; mend that and resume it: {error}"
            ),
        }
    }
}
