//! Payloads held against schemas when they are published, and when they arrive: for what the compiler cannot check.
//!
//! A typed event is what its type says. An event that is published again, or read from an archive, or comes from a service in another
//! language, is JSON text: [`Validation`] is the layer of a bus that looks at it.
//!
//! ```
//! use jitney_core::event::StoredPayload;
//! use jitney_derive::DomainEvent;
//! use jitney_schema::{Validation, events};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, DomainEvent, schemars::JsonSchema)]
//! #[event(aggregate = "Order", id = order_id, crate = "jitney_core")]
//! struct OrderPaid {
//!     order_id: String,
//!     cents: u64,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let validation = Validation::of(events![OrderPaid])?;
//! // Bus::builder(transport).layer(validation.clone()).build();
//!
//! let payload = StoredPayload::new("OrderPaid", "1.0".parse()?, br#"{"order_id":"o-1","cents":"12"}"#);
//! let invalid = validation.check(&payload.of_aggregate("Order")).unwrap_err();
//! assert!(invalid.to_string().contains("`$.cents`"), "{invalid}");
//! # Ok(())
//! # }
//! ```

mod invalid;
mod schemas;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use jitney_core::event::{StoredPayload, Version};
use jitney_core::publish::{Origin, OutgoingEvent, PublishLayer};
use jitney_core::{Head, RawEvent};
use serde_json::Value;

use self::schemas::Schemas;
use crate::lock::{Folder, Locked};
use crate::{Error, ErrorKind, Events};

pub use invalid::{Fault, Invalid};

/// A layer that refuses payloads that are not what their schema says. Cheap to clone.
///
/// Raw events are checked before they are published; [`typed_events`](Self::typed_events) and [`deliveries`](Self::deliveries) add
/// the others. An event type without a schema is refused where it is published, unless
/// [`pass_unknown`](Self::pass_unknown) lets it pass, and passes where it arrives: handlers say themselves what they take.
///
/// Put it before a layer that seals: what is sealed has another schema.
#[derive(Debug, Clone)]
pub struct Validation {
    schemas: Arc<Schemas>,
    typed_events: bool,
    deliveries: bool,
    pass_unknown: bool,
}

impl Validation {
    /// Against the schemas of `events`.
    ///
    /// # Errors
    ///
    /// When an event has no schema, or one that is too large or too deep, or refers to what is not in it.
    pub fn of(events: impl Into<Events>) -> Result<Self, Error> {
        let mut schemas = Schemas::default();
        for declared in events.into().into_sorted() {
            let (aggregate, event, version) = declared.key();
            let schema = declared.schema().ok_or_else(|| {
                let context = format!(
                    "validating `{event}` {version}: it has no schema; derive `schemars::JsonSchema` for it, or name its schema by \
                     `and_schema`"
                );
                Error::new(ErrorKind::NoSchema, context)
            })?;
            schemas.insert(aggregate, event, version, &schema)?;
        }
        Ok(Validation {
            schemas: Arc::new(schemas),
            typed_events: false,
            deliveries: false,
            pass_unknown: false,
        })
    }

    /// With the versions in the lock folder `folder` that are known by no type.
    ///
    /// # Errors
    ///
    /// When the folder is not there, cannot be read, or has damaged files; and as [`of`](Self::of).
    pub fn and_locked(mut self, folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let folder = Folder::new(folder);
        let path = folder.path().display().to_string();
        let Some(Locked { entries, damaged }) = folder.read()? else {
            let context =
                format!("reading the locked schemas of `{path}`: there is no such folder; see to the path");
            return Err(Error::new(ErrorKind::Folder, context));
        };
        if let Some((file, why)) = damaged.first() {
            let context = format!(
                "reading the locked schema `{}`: {why}; restore it from version control",
                file.display()
            );
            return Err(Error::new(ErrorKind::Contract, context));
        }
        let schemas = Arc::make_mut(&mut self.schemas);
        for entry in entries {
            if !schemas.has(&entry.aggregate, &entry.event, entry.version) {
                schemas.insert(&entry.aggregate, &entry.event, entry.version, &entry.schema)?;
            }
        }
        Ok(self)
    }

    /// With `schema` for version `version` of `event`, in place of the one that was there.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of).
    pub fn and_schema(
        mut self,
        aggregate: &str,
        event: &str,
        version: Version,
        schema: &Value,
    ) -> Result<Self, Error> {
        Arc::make_mut(&mut self.schemas).insert(aggregate, event, version, schema)?;
        Ok(self)
    }

    /// Checks typed events too when they are published, as where schemas come from elsewhere. Each is then parsed again.
    #[must_use]
    pub fn typed_events(self) -> Self {
        Validation { typed_events: true, ..self }
    }

    /// Checks what arrives too: an invalid event is a dead letter.
    #[must_use]
    pub fn deliveries(self) -> Self {
        Validation { deliveries: true, ..self }
    }

    /// Lets event types without a schema be published.
    #[must_use]
    pub fn pass_unknown(self) -> Self {
        Validation { pass_unknown: true, ..self }
    }

    /// Checks one payload, by its own version, or the last minor version that is known before or behind it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or that its type is unknown.
    pub fn check(&self, payload: &StoredPayload<'_>) -> Result<(), Invalid> {
        self.schemas.check(payload)
    }

    fn outgoing_fault(&self, head: &Head, payload: &[u8]) -> Option<Invalid> {
        let invalid = self.check(&stored(head, payload)).err()?;
        (!(invalid.is_unknown() && self.pass_unknown)).then_some(invalid)
    }
}

#[async_trait]
impl PublishLayer for Validation {
    fn takes(&self, origin: Origin) -> bool {
        origin == Origin::Raw || self.typed_events
    }

    fn takes_deliveries(&self) -> bool {
        self.deliveries
    }

    async fn outgoing(&self, event: &mut OutgoingEvent) -> Result<(), jitney_core::Error> {
        match self.outgoing_fault(&event.head, &event.payload) {
            None => Ok(()),
            Some(invalid) => {
                Err(refused(&event.head, "it was not published: mend its payload, or its version", invalid))
            }
        }
    }

    async fn incoming(&self, event: &mut RawEvent) -> Result<(), jitney_core::Error> {
        match self.check(&event.stored_payload()) {
            Err(invalid) if !invalid.is_unknown() => {
                Err(refused(event.head(), "have its publisher mend it, and publish it again", invalid))
            }
            _ => Ok(()),
        }
    }
}

fn stored<'a>(head: &'a Head, payload: &'a [u8]) -> StoredPayload<'a> {
    StoredPayload::new(&head.event_type, head.version, payload).of_aggregate(&head.aggregate_type)
}

fn refused(head: &Head, fix: &str, invalid: Invalid) -> jitney_core::Error {
    let what = format!("validating `{}` {}: {fix}", head.event_type, head.event_id);
    jitney_core::Error::new(jitney_core::ErrorKind::Layer, what).with_source(invalid)
}
