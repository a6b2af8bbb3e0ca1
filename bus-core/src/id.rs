//! Identifiers of events and of the chains that events belong to.
//!
//! Ids made here are UUIDs: version 7 for events that enter from outside (see [`Env::new_id`](crate::Env::new_id)),
//! version 5 for events that follow from another one. An id that came from another system is kept letter by
//! letter, whatever it looks like.
//!
//! ```
//! use jitney_core::Id;
//!
//! let cause: Id = "018f2c5e-7b1a-7c3d-8e4f-5a6b7c8d9e0f".parse().unwrap();
//! // A redelivered cause gives the same facts under the same ids.
//! assert_eq!(cause.derive("billing/take_payment", 0), cause.derive("billing/take_payment", 0));
//! assert_ne!(cause.derive("billing/take_payment", 0), cause.derive("billing/take_payment", 1));
//! ```

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

/// The id of an event, or of the chain of events (correlation) that it belongs to.
///
/// Two ids are equal when their text is equal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Repr);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Repr {
    Uuid(Uuid),
    Text(Arc<str>),
}

impl Id {
    /// The id of the `index`-th event that `origin` (a group and a handler, or an upcaster) made out of the
    /// event with this id: the same inputs give the same id, so that downstream deduplication works.
    ///
    /// A version 5 UUID ([RFC 9562, section 5.5](https://www.rfc-editor.org/rfc/rfc9562#section-5.5)) in the
    /// namespace of this id.
    pub fn derive(&self, origin: &str, index: usize) -> Id {
        let namespace = match &self.0 {
            Repr::Uuid(uuid) => *uuid,
            Repr::Text(text) => Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()),
        };
        Id(Repr::Uuid(Uuid::new_v5(&namespace, format!("{origin}#{index}").as_bytes())))
    }

    /// This id as a UUID, where it is one.
    pub fn as_uuid(&self) -> Option<Uuid> {
        match &self.0 {
            Repr::Uuid(uuid) => Some(*uuid),
            Repr::Text(_) => None,
        }
    }

    /// Calls `read` with the text of this id, without allocating.
    pub fn with_str<R>(&self, read: impl FnOnce(&str) -> R) -> R {
        match &self.0 {
            Repr::Uuid(uuid) => read(uuid.hyphenated().encode_lower(&mut [0; Hyphenated::LENGTH])),
            Repr::Text(text) => read(text),
        }
    }
}

impl From<Uuid> for Id {
    fn from(uuid: Uuid) -> Self {
        Id(Repr::Uuid(uuid))
    }
}

impl From<&str> for Id {
    /// Only the canonical form (lower case, hyphens) becomes a UUID inside, so that every id prints as it came.
    fn from(text: &str) -> Self {
        let canonical =
            text.len() == Hyphenated::LENGTH && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match Uuid::try_parse(text) {
            Ok(uuid) if canonical => Id(Repr::Uuid(uuid)),
            _ => Id(Repr::Text(text.into())),
        }
    }
}

impl FromStr for Id {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Id::from(text))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_str(|text| f.pad(text))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_str(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;

        impl Visitor<'_> for IdVisitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id (a string)")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                Ok(Id::from(text))
            }
        }

        deserializer.deserialize_str(IdVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_prints_as_it_came() {
        for text in [
            "018f2c5e-7b1a-7c3d-8e4f-5a6b7c8d9e0f",
            "018F2C5E-7B1A-7C3D-8E4F-5A6B7C8D9E0F",
            "evt_42",
            "",
            "é",
        ] {
            assert_eq!(Id::from(text).to_string(), text);
        }
    }

    #[test]
    fn derived_ids_differ_by_cause_origin_and_index() {
        let (a, b) = (Id::from("a"), Id::from("b"));
        let ids = [a.derive("x", 0), a.derive("x", 1), a.derive("y", 0), b.derive("x", 0)];
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
