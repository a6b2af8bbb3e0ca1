//! An event whose envelope has been read and whose payload has not.

use std::sync::Arc;

use bytes::Bytes;

use crate::codec::{Decoded, PayloadBytes};
use crate::event::{DecodeError, DomainEvent, StoredPayload};
use crate::message::Message;
use crate::{Envelope, Head};

/// An event of any type: the head decoded, the payload as JSON text. Cheap to clone.
///
/// A handler that takes it sees every event of its topics (an audit log, for example).
#[derive(Debug, Clone)]
pub struct RawEvent {
    head: Arc<Head>,
    payload: PayloadBytes,
    message: Arc<Message>,
}

impl RawEvent {
    /// What a codec found in `message`.
    pub fn new(decoded: Decoded, message: Arc<Message>) -> Self {
        RawEvent { head: decoded.head, payload: decoded.payload, message }
    }

    /// Everything but the payload.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The same, to be kept.
    pub fn shared_head(&self) -> Arc<Head> {
        Arc::clone(&self.head)
    }

    /// The payload, as JSON text, to be kept: it shares the bytes of the message.
    pub fn payload_bytes(&self) -> Bytes {
        match &self.payload {
            PayloadBytes::InBody(range) => self.message.body.slice(range.clone()),
            PayloadBytes::Own(bytes) => bytes.clone(),
        }
    }

    /// The payload, as JSON text.
    pub fn payload_json(&self) -> &[u8] {
        match &self.payload {
            PayloadBytes::InBody(range) => &self.message.body[range.clone()],
            PayloadBytes::Own(bytes) => bytes,
        }
    }

    /// Puts another payload in place, as a layer does that opens what was sealed.
    pub fn set_payload_json(&mut self, json: impl Into<Bytes>) {
        self.payload = PayloadBytes::Own(json.into());
    }

    /// The message that it came in, untouched.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The payload with the type and version that it was written under, and the aggregate of the event.
    pub fn stored_payload(&self) -> StoredPayload<'_> {
        let Head { event_type, version, aggregate_type, .. } = &*self.head;
        StoredPayload::new(event_type, *version, self.payload_json()).of_aggregate(aggregate_type)
    }

    /// Reads the payload as an `E`, bringing old versions up to date.
    ///
    /// # Errors
    ///
    /// Those of [`DomainEvent::decode`].
    pub fn decode<E: DomainEvent>(&self) -> Result<E, DecodeError> {
        E::decode(&self.stored_payload())
    }

    /// Reads the payload as an `E`, with the envelope.
    ///
    /// # Errors
    ///
    /// Those of [`DomainEvent::decode`].
    pub fn to_envelope<E: DomainEvent>(&self) -> Result<Envelope<E>, DecodeError> {
        Ok(Envelope::new(Arc::clone(&self.head), self.decode()?))
    }
}
