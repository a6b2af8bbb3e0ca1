//! Who caused an event, in which chain, and what other systems added.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::Id;

/// The pair that marks an event which was published in several major versions under one id: all of them, parted by
/// commas. A group handles the highest one that it knows, and skips the others.
pub const ALTERNATES: &str = "jitney-alternates";

/// Who, in which chain of events, and because of which event.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Metadata {
    /// The user on whose behalf it happened.
    pub user_id: Option<String>,
    /// The chain of events that the event belongs to: the same for everything that follows from one request.
    pub correlation_id: Option<Id>,
    /// The id of the event that this one follows from.
    pub causation_id: Option<Id>,
    /// The [W3C trace context](https://www.w3.org/TR/trace-context/) of the publisher.
    pub trace: Option<TraceContext>,
    /// Further pairs of the application.
    pub pairs: BTreeMap<String, String>,
    /// What other systems put here that is no string, kept as it came.
    pub extensions: Extensions,
}

/// The two headers of a [W3C trace context](https://www.w3.org/TR/trace-context/).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// `traceparent`: trace and span id.
    pub parent: String,
    /// `tracestate`: what vendors add.
    pub state: Option<String>,
}

/// JSON fields that are not ours, by name, kept letter by letter.
#[derive(Debug, Clone, Default)]
pub struct Extensions(BTreeMap<String, Box<RawValue>>);

impl Extensions {
    /// The JSON text of the field `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get())
    }

    /// The fields by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), &**value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps the field `name`, replacing one of the same name.
    pub fn insert(&mut self, name: String, value: Box<RawValue>) {
        self.0.insert(name, value);
    }
}

impl PartialEq for Extensions {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.iter().zip(other.iter()).all(|(a, b)| a.0 == b.0 && a.1.get() == b.1.get())
    }
}
