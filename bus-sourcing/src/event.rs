//! Events on their way into a store, and as they come out of it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::codec::EncodePayload;
use jitney_core::event::{DomainEvent, StoredPayload, Version};
use jitney_core::personal::{Shown, has_open, written};
use jitney_core::{Envelope, Head, Id, Metadata};

use crate::{Error, ErrorKind, Position, StreamId};

/// An event that is to be appended. Its stream and its sequence are the append's.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct NewEvent {
    /// Unique within the stream; a store refuses a second event of the same id.
    pub event_id: Id,
    /// The name of the event type.
    pub event_type: Cow<'static, str>,
    /// The version of the payload's schema.
    pub version: Version,
    /// When it is recorded, in whole milliseconds.
    pub time: Timestamp,
    /// Who, in which chain of events, and because of which event.
    pub metadata: Metadata,
    /// The payload, as JSON text.
    pub payload: Bytes,
    /// The topic that it goes to when it is published.
    pub topic: Cow<'static, str>,
    /// What seals has seen the payload: what is open in it is erased.
    is_sealed: bool,
}

impl NewEvent {
    /// `event`, recorded at `time` under `event_id`, without metadata.
    ///
    /// # Errors
    ///
    /// Of kind [`Encode`](ErrorKind::Encode) when the payload cannot be serialized.
    pub fn new<E: DomainEvent>(event_id: Id, time: Timestamp, event: &E) -> Result<Self, Error> {
        let event_type = event.event_type();
        let mut payload = Vec::new();
        written(&mut payload, |out| event.write_json(out)).map_err(|error| {
            let what = format!("encoding the payload of `{event_type}` to append it");
            Error::new(ErrorKind::Encode, what).with_source(error)
        })?;
        Ok(NewEvent {
            event_id,
            event_type: event_type.name().into(),
            version: event_type.version(),
            time,
            metadata: Metadata::default(),
            payload: payload.into(),
            topic: event_type.topic().into(),
            is_sealed: false,
        })
    }

    /// The same with `metadata`.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Whether it has personal data that is still to be sealed: a store takes no such event. One that was given what seals does so by
    /// itself.
    pub fn is_open(&self) -> bool {
        !self.is_sealed && has_open(&self.payload)
    }

    /// What is open in it by now is erased.
    pub(crate) fn seen_by_sealer(&mut self) {
        self.is_sealed = true;
    }

    /// Reads the payload back, as a store will give it for `stream`.
    pub(crate) fn decode<E: DomainEvent>(&self, stream: &StreamId) -> Result<E, Error> {
        let NewEvent { event_type, version, .. } = self;
        E::decode(&StoredPayload::new(event_type, *version, &self.payload)).map_err(|error| {
            let what = format!(
                "raising `{event_type}` {version} for stream {stream}: what it is written as cannot be read again; \
                 see to it that `Serialize` and `Deserialize` agree"
            );
            Error::new(ErrorKind::Decode, what).with_source(error)
        })
    }

    /// What this is once it is event `sequence` of `stream`.
    pub fn into_stored(self, stream: &StreamId, sequence: u64, position: Position) -> StoredEvent {
        let mut head = Head::new(
            self.event_id,
            self.event_type,
            stream.shared_aggregate_type(),
            stream.aggregate_id().to_owned(),
            self.time,
            self.version,
        );
        head.sequence = Some(sequence);
        head.metadata = self.metadata;
        StoredEvent::new(Arc::new(head), self.payload, position)
    }
}

/// An event as a store has it: the head, the payload as JSON text, and its place among all events. Cheap to clone.
#[derive(Clone, PartialEq)]
pub struct StoredEvent {
    head: Arc<Head>,
    payload: Bytes,
    position: Position,
    /// Why its personal data could not be opened.
    unopened: Option<Arc<str>>,
}

impl StoredEvent {
    /// The event of `head`, which has a sequence, at `position`.
    pub fn new(head: Arc<Head>, payload: impl Into<Bytes>, position: Position) -> Self {
        StoredEvent { head, payload: payload.into(), position, unopened: None }
    }

    /// Everything but the payload.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The payload, as JSON text.
    pub fn payload_json(&self) -> &Bytes {
        &self.payload
    }

    /// Its place among all events of the store.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The stream that it belongs to.
    pub fn stream(&self) -> StreamId {
        StreamId::new(self.head.aggregate_type.clone(), self.head.aggregate_id.clone())
    }

    /// Its place in its stream, from 1.
    pub fn sequence(&self) -> u64 {
        self.head.sequence.unwrap_or(0)
    }

    pub(crate) fn set_payload(&mut self, payload: Bytes) {
        self.payload = payload;
    }

    pub(crate) fn set_unopened(&mut self, why: String) {
        self.unopened = Some(why.into());
    }

    /// The error of an event whose personal data was changed where it is stored, or brought there from elsewhere. The payload is then
    /// as it is stored. It cannot be [decoded](Self::decode), and no projection or process manager is given it.
    pub fn unopened(&self) -> Option<Error> {
        let why = self.unopened.as_deref()?;
        let (sequence, stream, head) = (self.sequence(), self.stream(), self.head());
        let what = format!(
            "reading event {sequence} of stream {stream} (`{}` {}): its personal data cannot be opened",
            head.event_type, head.version
        );
        Some(Error::new(ErrorKind::Decode, what).with_source(why))
    }

    /// Reads the payload as an `E`, bringing old versions up to date.
    ///
    /// # Errors
    ///
    /// Of kind [`Decode`](ErrorKind::Decode): the payload does not have the type's shape, its type or version is
    /// unknown, an upcaster refused it, or it is [unopened](Self::unopened). The error names stream, sequence, type and version.
    pub fn decode<E: DomainEvent>(&self) -> Result<E, Error> {
        if let Some(error) = self.unopened() {
            return Err(error);
        }
        let Head { event_type, version, .. } = &*self.head;
        E::decode(&StoredPayload::new(event_type, *version, &self.payload)).map_err(|error| {
            let what = format!(
                "reading event {} of stream {} (`{event_type}` {version}): the store has it, this program cannot \
                 read it; add an upcaster from that version, or a variant of that type",
                self.sequence(),
                self.stream(),
            );
            Error::new(ErrorKind::Decode, what).with_source(error)
        })
    }

    /// Reads the payload as an `E`, with the envelope.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn to_envelope<E: DomainEvent>(&self) -> Result<Envelope<E>, Error> {
        Ok(Envelope::new(Arc::clone(&self.head), self.decode()?))
    }
}

impl fmt::Debug for NewEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NewEvent { event_id, event_type, version, time, metadata, payload, topic, is_sealed } = self;
        f.debug_struct("NewEvent")
            .field("event_id", event_id)
            .field("event_type", event_type)
            .field("version", version)
            .field("time", time)
            .field("metadata", metadata)
            .field("payload", &Shown(payload))
            .field("topic", topic)
            .field("is_sealed", is_sealed)
            .finish()
    }
}

impl fmt::Debug for StoredEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StoredEvent { head, payload, position, unopened } = self;
        f.debug_struct("StoredEvent")
            .field("head", head)
            .field("payload", &Shown(payload))
            .field("position", position)
            .field("unopened", unopened)
            .finish()
    }
}
