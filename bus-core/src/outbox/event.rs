//! Events on their way into an outbox.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::Shard;
use crate::codec::{Codec, Destination, EncodePayload, JsonPayload, NativeJson};
use crate::event::{DomainEvent, EventType, Keyed};
use crate::message::{Message, Topic};
use crate::personal::{Place, Sealer, Shown, has_open, written};
use crate::{Env, Envelope, Error, ErrorKind, Head, Metadata};

/// An event that is to be stored in an outbox.
///
/// One with [personal](crate::personal) data is to be [sealed](Self::seal) before: an outbox takes no other. Outboxes of a store that was
/// given what seals do so by themselves.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct OutboxEvent {
    /// Everything of the envelope but the payload.
    pub head: Head,
    /// The payload, as JSON text.
    pub payload: Bytes,
    /// The topic that it goes to.
    pub topic: Cow<'static, str>,
    /// What decides on lane and partition; the aggregate's id where there is none.
    pub key: Option<String>,
    /// What seals has seen the payload: what is open in it is erased.
    is_sealed: bool,
}

impl OutboxEvent {
    /// `event`, recorded now under a new id, at the start of a new chain.
    ///
    /// # Errors
    ///
    /// Of kind [`Encode`](ErrorKind::Encode) when the payload cannot be serialized.
    pub fn new<E: Keyed>(env: &Env, event: &E) -> Result<Self, Error> {
        let key = event.key();
        let this = OutboxEvent::of(env, event.aggregate_id(), event)?;
        Ok(OutboxEvent { key, ..this })
    }

    /// The same for an event that does not say itself which aggregate it belongs to.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn of<E: DomainEvent>(env: &Env, aggregate_id: String, event: &E) -> Result<Self, Error> {
        let event_type = event.event_type();
        let (name, aggregate) = (event_type.name(), event_type.aggregate());
        let head = Head::new(env.new_id(), name, aggregate, aggregate_id, env.now(), event_type.version());
        OutboxEvent::encoded(head, event_type, None, event)
    }

    /// The event of `head` with its payload as text.
    pub(crate) fn encoded(
        head: Head,
        event_type: &'static EventType,
        key: Option<String>,
        payload: &dyn EncodePayload,
    ) -> Result<Self, Error> {
        let mut text = Vec::new();
        written(&mut text, |text| payload.write_json(text)).map_err(|error| {
            let what = format!("encoding the payload of `{event_type}` for the outbox");
            Error::new(ErrorKind::Encode, what).with_source(error)
        })?;
        Ok(OutboxEvent {
            head,
            payload: text.into(),
            topic: event_type.topic().into(),
            key,
            is_sealed: false,
        })
    }

    /// An event that has its envelope already, such as one of an event store, for `topic`.
    pub fn from_head(head: Head, payload: impl Into<Bytes>, topic: impl Into<Cow<'static, str>>) -> Self {
        OutboxEvent { head, payload: payload.into(), topic: topic.into(), key: None, is_sealed: false }
    }

    /// The same, of which a [`Sealer`] has seen the payload: what it has left open is erased. For authors of stores.
    #[must_use]
    pub fn seen_by_sealer(mut self) -> Self {
        self.is_sealed = true;
        self
    }

    /// Whether it has personal data that is still to be sealed.
    pub fn is_open(&self) -> bool {
        !self.is_sealed && has_open(&self.payload)
    }

    /// Has `sealer` seal what personal data it has; one without stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Sealer::seal`].
    ///
    /// # Cancellation
    ///
    /// As [`Sealer::seal`].
    pub async fn seal(mut self, sealer: &dyn Sealer) -> Result<Self, Error> {
        if self.is_open() {
            let payload = std::mem::take(&mut self.payload);
            self.payload = sealer.seal(Place::of_event(&self.head), payload).await?;
            self.is_sealed = true;
        }
        Ok(self)
    }

    /// With `metadata`.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.head.metadata = metadata;
        self
    }

    /// It follows from `cause`: its chain, user and trace are carried on.
    #[must_use]
    pub fn caused_by<E>(mut self, cause: &Envelope<E>) -> Self {
        self.head.metadata.follow(cause.head());
        self
    }

    /// The shard that it belongs to: all events of one key are in one.
    pub fn shard(&self) -> Shard {
        Shard::of(self.key.as_deref().unwrap_or(&self.head.aggregate_id))
    }

    /// The message that an outbox stores: topic, key, and the envelope as native JSON.
    ///
    /// # Errors
    ///
    /// Of kind [`Encode`](ErrorKind::Encode) when the payload is no JSON; of kind [`Config`](ErrorKind::Config) when it has
    /// personal data that nothing has sealed.
    pub fn into_message(mut self) -> Result<Message, Error> {
        if self.is_open() {
            let what = format!(
                "putting `{}` {} into an outbox: it has personal data, which nothing has sealed; give the store of the outbox what seals \
                 (`sealed_by`), or seal the event by `OutboxEvent::seal`",
                self.head.event_type, self.head.event_id
            );
            return Err(Error::new(ErrorKind::Config, what));
        }
        if self.head.metadata.correlation_id.is_none() {
            self.head.metadata.correlation_id = Some(self.head.event_id.clone());
        }
        let destination = Destination::new(&self.topic, "");
        let encoded = NativeJson.encode(destination, &self.head, &JsonPayload(self.payload))?;
        let key = self.key.unwrap_or_else(|| self.head.aggregate_id.clone());
        let topic = match self.topic {
            Cow::Borrowed(name) => Topic::from(name),
            Cow::Owned(name) => Topic::from(name),
        };
        Ok(Message {
            topic,
            key: Some(key.into()),
            headers: encoded.headers,
            time: self.head.time,
            body: encoded.body,
        })
    }
}

impl fmt::Debug for OutboxEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OutboxEvent { head, payload, topic, key, is_sealed } = self;
        f.debug_struct("OutboxEvent")
            .field("head", head)
            .field("payload", &Shown(payload))
            .field("topic", topic)
            .field("key", key)
            .field("is_sealed", is_sealed)
            .finish()
    }
}
