//! Who caused an event, in which chain, and what other systems added.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::codec::{metadata_json, read_metadata};
use crate::{Head, Id};

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

impl Metadata {
    /// Carries on what `cause` is part of: its chain, user and trace, with itself as the cause.
    pub(crate) fn follow(&mut self, cause: &Head) {
        self.correlation_id = Some(cause.correlation_id().clone());
        self.causation_id = Some(cause.event_id.clone());
        self.user_id.clone_from(&cause.metadata.user_id);
        self.trace.clone_from(&cause.metadata.trace);
    }

    /// This as one JSON object, with the names that the native envelope has: for stores that keep it in a column.
    ///
    /// # Errors
    ///
    /// None that is known; those of the serializer.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        metadata_json(self)
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// When the text is no JSON object, or a member of ours has another type.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        read_metadata(json)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_as_json_reads_back_as_it_was() {
        let mut metadata = Metadata {
            user_id: Some("u-1".to_owned()),
            correlation_id: Some("c-1".into()),
            causation_id: Some("e-1".into()),
            trace: Some(TraceContext { parent: "00-1-2-01".to_owned(), state: Some("a=b".to_owned()) }),
            ..Metadata::default()
        };
        metadata.pairs.insert("tenant".to_owned(), "Zürich \"1\"".to_owned());
        metadata.extensions.insert("hops".to_owned(), serde_json::value::to_raw_value(&[1, 2]).unwrap());
        assert_eq!(Metadata::from_json(&metadata.to_json().unwrap()).unwrap(), metadata);
        let empty = Metadata::default();
        assert_eq!(empty.to_json().unwrap(), b"{}");
        assert_eq!(Metadata::from_json(b"{}").unwrap(), empty);
    }
}
