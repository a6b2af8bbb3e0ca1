//! Event types: what an event is called, where it goes, and how its payload is written and read.
//!
//! `#[derive(DomainEvent)]` writes these impls; nothing in it is beyond what a person can write:
//!
//! ```
//! use jitney_core::event::{DecodeError, DomainEvent, EventType, Keyed, StoredPayload, Version};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct OrderShipped { order_id: String }
//!
//! impl DomainEvent for OrderShipped {
//!     const TYPES: &'static [EventType] = &[EventType::new("OrderShipped", "Order", Version::new(1, 0), "Order-events")];
//!     fn event_type(&self) -> &'static EventType { &Self::TYPES[0] }
//!     fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> { payload.read() }
//! }
//!
//! impl Keyed for OrderShipped {
//!     fn aggregate_id(&self) -> String { self.order_id.clone() }
//! }
//! ```

mod decode;
mod event_type;
#[cfg(feature = "schema")]
mod manifest;
mod one_of;
mod payload;
mod pseudonym;
mod upcast;
mod variant;

pub use decode::{DecodeError, DecodeErrorKind, StoredPayload};
pub use event_type::{EventType, ParseVersionError, Version};
#[cfg(feature = "schema")]
pub use manifest::Manifest;
#[cfg(feature = "schema")]
#[doc(hidden)]
pub use manifest::{MaybeSchema, Probe, schema_of};
pub use one_of::OneOf;
pub use payload::Payload;
pub use pseudonym::{PseudonymField, Pseudonymous, make_up_pseudonyms, pseudonym_subject};
pub use upcast::{JsonStep, UpcastFrom, upcast, upcast_json};
pub use variant::{VariantPayload, read_variant};

use crate::codec::EncodePayload;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::Serializer;

/// A fact that happened to an aggregate: a struct (one event type) or an enum (one event type per variant).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event type",
    note = "derive it: `#[derive(Serialize, Deserialize, DomainEvent)]` with `#[event(aggregate = \"…\", id = field)]`"
)]
pub trait DomainEvent: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Every event type that a value of this Rust type can be, at its current version.
    const TYPES: &'static [EventType];

    /// The event type of this value: one of [`TYPES`](Self::TYPES).
    fn event_type(&self) -> &'static EventType;

    /// Reads a stored payload of any type in [`accepts`](Self::accepts), bringing old versions up to date.
    ///
    /// # Errors
    ///
    /// When the payload does not have the type's shape, when its major version is unknown, or when an upcaster
    /// refuses it.
    fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError>;

    /// Writes the payload of this event; an enum writes the content of its variant alone, since the event type
    /// already says which one it is.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    fn serialize_payload<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }

    /// The event types on the wire that [`decode`](Self::decode) reads: the current ones, then those that are
    /// upcast. Subscriptions and routing use it; it runs at start-up, not per event.
    fn accepts() -> Vec<&'static EventType> {
        Self::TYPES.iter().collect()
    }
}

/// An event that knows which aggregate it belongs to, so that it can be published as it is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which aggregate it belongs to, so it cannot be published by itself",
    label = "has no aggregate id",
    note = "name the field: `#[event(aggregate = \"…\", id = field)]`",
    note = "or give the id when publishing: `bus.publish_for(id, &event)`"
)]
pub trait Keyed: DomainEvent {
    /// The id of the aggregate that this event happened to.
    fn aggregate_id(&self) -> String;

    /// The key that decides on lane and partition, where it is not the aggregate id.
    fn key(&self) -> Option<String> {
        None
    }
}

/// What [`Bus::publish`](crate::Bus::publish) takes: any event that is [`Keyed`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which aggregate it belongs to, so it cannot be published by itself",
    label = "has no aggregate id",
    note = "name the field: `#[event(aggregate = \"…\", id = field)]`",
    note = "or give the id when publishing: `bus.publish_for(id, &event)`"
)]
pub trait Publishable: EncodePayload {
    /// The event type of this value.
    fn event_type(&self) -> &'static EventType;

    /// The id of the aggregate that this event happened to.
    fn aggregate_id(&self) -> String;

    /// The key that decides on lane and partition, where it is not the aggregate id.
    fn key(&self) -> Option<String>;
}

#[diagnostic::do_not_recommend]
impl<E: Keyed> Publishable for E {
    fn event_type(&self) -> &'static EventType {
        DomainEvent::event_type(self)
    }

    fn aggregate_id(&self) -> String {
        Keyed::aggregate_id(self)
    }

    fn key(&self) -> Option<String> {
        Keyed::key(self)
    }
}
