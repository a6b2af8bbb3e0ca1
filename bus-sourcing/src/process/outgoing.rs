//! Events on their way out of a process.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::codec::EncodePayload;
use jitney_core::event::Version;
use jitney_core::outbox::OutboxEvent;
use jitney_core::personal::{Shown, written};
use jitney_core::{Head, Id, Keyed, Metadata};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Error, ErrorKind};

/// An event that a process sends, or keeps as a compensation. Its id, its time and its metadata follow when it is sent.
#[derive(Clone, Serialize, Deserialize)]
pub struct OutgoingEvent {
    event_type: String,
    /// Major and minor.
    version: (u32, u32),
    aggregate_type: String,
    aggregate_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    topic: String,
    payload: Box<RawValue>,
}

impl OutgoingEvent {
    /// `event`, as it is stored.
    ///
    /// # Errors
    ///
    /// Of kind [`Encode`](ErrorKind::Encode) when the payload cannot be serialized.
    pub fn new<E: Keyed>(event: &E) -> Result<Self, Error> {
        let event_type = event.event_type();
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            let what = format!("encoding the payload of `{event_type}`, which a process sends");
            Error::new(ErrorKind::Encode, what).with_source(error)
        };
        let mut payload = Vec::new();
        written(&mut payload, |out| event.write_json(out)).map_err(failed)?;
        // The bytes are not part of the error.
        let payload = String::from_utf8(payload).map_err(|error| failed(error.utf8_error().into()))?;
        Ok(OutgoingEvent {
            event_type: event_type.name().to_owned(),
            version: (event_type.version().major, event_type.version().minor),
            aggregate_type: event_type.aggregate().to_owned(),
            aggregate_id: event.aggregate_id(),
            key: event.key(),
            topic: event_type.topic().to_owned(),
            payload: RawValue::from_string(payload).map_err(|error| failed(error.into()))?,
        })
    }

    /// The name of the event type.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The aggregate that it is about.
    pub fn aggregate_id(&self) -> &str {
        &self.aggregate_id
    }

    /// The payload, as JSON text.
    pub fn payload_json(&self) -> &str {
        self.payload.get()
    }

    /// What an outbox takes, under `id`.
    pub(super) fn into_outbox(self, id: Id, now: Timestamp, metadata: Metadata) -> OutboxEvent {
        let version = Version::new(self.version.0, self.version.1);
        let mut head = Head::new(id, self.event_type, self.aggregate_type, self.aggregate_id, now, version);
        head.metadata = metadata;
        let payload = Bytes::from(String::from(Box::<str>::from(self.payload)));
        let mut event = OutboxEvent::from_head(head, payload, self.topic);
        event.key = self.key;
        event
    }
}

impl fmt::Debug for OutgoingEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OutgoingEvent { event_type, version, aggregate_type, aggregate_id, key, topic, payload } = self;
        f.debug_struct("OutgoingEvent")
            .field("event_type", event_type)
            .field("version", version)
            .field("aggregate_type", aggregate_type)
            .field("aggregate_id", aggregate_id)
            .field("key", key)
            .field("topic", topic)
            .field("payload", &Shown(payload.get().as_bytes()))
            .finish()
    }
}
