//! The envelope: what every event carries beside its payload.
//!
//! ```
//! use jitney_core::{Envelope, Head, Id};
//! # use jitney_core::event::Version;
//! # fn head() -> Head {
//! #     Head::new(Id::from("e-1"), "OrderShipped", "Order", "42".into(), jiff::Timestamp::UNIX_EPOCH, Version::new(1, 0))
//! # }
//! struct OrderShipped { order_id: String }
//!
//! let shipped = Envelope::new(head(), OrderShipped { order_id: "42".into() });
//! assert_eq!(shipped.order_id, "42"); // the payload's fields are at hand
//! assert_eq!(shipped.event_id(), &Id::from("e-1"));
//! ```

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;

use crate::Id;
use crate::event::Version;
use crate::metadata::{Extensions, Metadata};

/// Everything of an envelope but the payload.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Head {
    /// Unique per event; equal on every redelivery.
    pub event_id: Id,
    /// The name of the event type.
    pub event_type: Cow<'static, str>,
    /// The type of the aggregate that the event happened to.
    pub aggregate_type: Cow<'static, str>,
    /// The id of the aggregate that the event happened to.
    pub aggregate_id: String,
    /// When the event was recorded, in whole milliseconds; business dates belong in the payload.
    pub time: Timestamp,
    /// The version of the payload's schema.
    pub version: Version,
    /// The place in the aggregate's stream, from 1, where the event comes from an event store.
    pub sequence: Option<u64>,
    /// Who, in which chain of events, and because of which event.
    pub metadata: Metadata,
    /// Fields that other systems put into the envelope, kept as they came.
    pub extensions: Extensions,
}

impl Head {
    /// The head of an event without sequence and metadata.
    pub fn new(
        event_id: Id,
        event_type: impl Into<Cow<'static, str>>,
        aggregate_type: impl Into<Cow<'static, str>>,
        aggregate_id: String,
        time: Timestamp,
        version: Version,
    ) -> Self {
        Head {
            event_id,
            event_type: event_type.into(),
            aggregate_type: aggregate_type.into(),
            aggregate_id,
            time,
            version,
            sequence: None,
            metadata: Metadata::default(),
            extensions: Extensions::default(),
        }
    }

    /// The id of the chain of events that this one belongs to; an event without one starts its own chain.
    pub fn correlation_id(&self) -> &Id {
        self.metadata.correlation_id.as_ref().unwrap_or(&self.event_id)
    }
}

/// An event with everything that it carries; dereferences to the payload.
#[derive(Debug, Clone)]
pub struct Envelope<E> {
    head: Arc<Head>,
    payload: E,
}

impl<E> Envelope<E> {
    /// Puts `payload` under `head`.
    pub fn new(head: impl Into<Arc<Head>>, payload: E) -> Self {
        Envelope { head: head.into(), payload }
    }

    /// Everything but the payload.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The payload.
    pub fn payload(&self) -> &E {
        &self.payload
    }

    /// The payload alone.
    pub fn into_payload(self) -> E {
        self.payload
    }

    /// Replaces the payload by what `convert` makes of it.
    pub fn map<F>(self, convert: impl FnOnce(E) -> F) -> Envelope<F> {
        Envelope { head: self.head, payload: convert(self.payload) }
    }

    /// Unique per event; equal on every redelivery.
    pub fn event_id(&self) -> &Id {
        &self.head.event_id
    }

    /// The name of the event type, as it was on the wire.
    pub fn event_type(&self) -> &str {
        &self.head.event_type
    }

    /// The type of the aggregate that the event happened to.
    pub fn aggregate_type(&self) -> &str {
        &self.head.aggregate_type
    }

    /// The id of the aggregate that the event happened to.
    pub fn aggregate_id(&self) -> &str {
        &self.head.aggregate_id
    }

    /// When the event was recorded.
    pub fn time(&self) -> Timestamp {
        self.head.time
    }

    /// The version of the payload's schema on the wire, before any upcast.
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// The place in the aggregate's stream, where the event comes from an event store.
    pub fn sequence(&self) -> Option<u64> {
        self.head.sequence
    }

    /// Who, in which chain of events, and because of which event.
    pub fn metadata(&self) -> &Metadata {
        &self.head.metadata
    }

    /// The id of the chain of events that this one belongs to.
    pub fn correlation_id(&self) -> &Id {
        self.head.correlation_id()
    }
}

impl<E> Deref for Envelope<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.payload
    }
}
