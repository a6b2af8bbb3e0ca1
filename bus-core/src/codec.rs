//! Codecs: from an envelope to the bytes of a message and back.
//!
//! [`NativeJson`] is the default; [`SequencedJson`] is for topics of services that number their events by `version`,
//! [`CloudEvents`] for topics of systems that speak that. A transport whose wire has a shape of its own brings its own codec.

mod brackets;
pub mod cloud_events;
mod native_decode;
mod native_json;
mod sequenced_json;

use std::borrow::Cow;
use std::fmt::{self, Debug};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::event::{DomainEvent, EventType};
use crate::message::{Header, Message};
use crate::personal::Shown;
use crate::{Error, Head};

pub(crate) use native_decode::read_metadata;
pub(crate) use native_json::metadata_json;

pub use cloud_events::{CONTENT_TYPE_HEADER, CloudEvents};
pub use native_json::{CORRELATION_ID_HEADER, EVENT_TYPE_HEADER, NativeJson};
pub use sequenced_json::SequencedJson;

/// Turns envelopes into bytes and back.
pub trait Codec: Debug + Send + Sync + 'static {
    /// The media type of what [`encode`](Self::encode) writes.
    fn content_type(&self) -> &'static str;

    /// Writes an envelope.
    ///
    /// # Errors
    ///
    /// When the payload cannot be serialized, or the format has no place for something in the envelope.
    fn encode(&self, to: Destination<'_>, head: &Head, payload: &dyn EncodePayload)
    -> Result<Encoded, Error>;

    /// Reads an envelope, its payload unread. `expected` is the type that the message most likely has; where it
    /// is right, its names need not be copied.
    ///
    /// # Errors
    ///
    /// When the message has no envelope; never panics, whatever the bytes.
    fn decode(&self, message: &Message, expected: Option<&'static EventType>) -> Result<Decoded, Error>;

    /// Gets what is lacking to [`decode`](Self::decode) `message`: a schema that is kept elsewhere, for example. None where nothing
    /// is, which has to be quick to find out: it is asked for every message that somebody wants. Until the future is done, the
    /// message waits, and so do those behind it that share its key; others do not.
    ///
    /// The future ends with an error that [`is_retryable`](Error::is_retryable), and is then asked for again later, as long as it
    /// takes; or with another error, and the message is then a dead letter.
    fn prepare(&self, message: &Message) -> Option<Preparation> {
        let _ = message;
        None
    }

    /// The event type of a message, where it can be told without reading the body.
    fn peek_event_type<'m>(&self, message: &'m Message) -> Option<&'m str>;
}

/// What has to be done before a message can be decoded. Dropping it leaves it undone.
pub type Preparation = BoxFuture<'static, Result<(), Error>>;

/// Where an envelope goes, and from whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The service that publishes it.
    pub service: &'a str,
}

impl<'a> Destination<'a> {
    /// `topic`, from `service`.
    pub fn new(topic: &'a str, service: &'a str) -> Self {
        Destination { topic, service }
    }
}

/// What a codec made of an envelope.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The headers that the wire format wants.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Bytes,
}

/// What a codec found in a message.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// Everything but the payload.
    pub head: Arc<Head>,
    /// The payload, as JSON text.
    pub payload: PayloadBytes,
}

/// A payload as JSON text: a part of the message's body, or bytes of its own where the wire has another format.
#[derive(Clone)]
pub enum PayloadBytes {
    /// This part of the body.
    InBody(Range<usize>),
    /// These bytes.
    Own(Bytes),
}

impl Debug for PayloadBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PayloadBytes::InBody(range) => f.debug_tuple("InBody").field(range).finish(),
            PayloadBytes::Own(bytes) => f.debug_tuple("Own").field(&Shown(bytes)).finish(),
        }
    }
}

/// A payload that can be written, whatever its type.
pub trait EncodePayload: Send + Sync {
    /// Appends the payload to `out`, as JSON text.
    ///
    /// # Errors
    ///
    /// When it cannot be serialized.
    fn write_json(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error>;
}

impl<E: DomainEvent> EncodePayload for E {
    fn write_json(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        self.serialize_payload(&mut serde_json::Serializer::new(out))
    }
}

/// JSON text that is written as it stands.
#[derive(Clone)]
pub struct JsonPayload(pub Bytes);

impl Debug for JsonPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonPayload").field(&Shown(&self.0)).finish()
    }
}

impl EncodePayload for JsonPayload {
    fn write_json(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        out.extend_from_slice(&self.0);
        Ok(())
    }
}

/// The bytes of `name`, not copied where it is in the program's text.
#[expect(clippy::ptr_arg, reason = "a `&str` does not say where it is")]
fn bytes_of(name: &Cow<'static, str>) -> Bytes {
    match name {
        Cow::Borrowed(name) => Bytes::from_static(name.as_bytes()),
        Cow::Owned(name) => Bytes::copy_from_slice(name.as_bytes()),
    }
}

/// `name`, not copied where it is `known`.
fn known_or_owned(name: Cow<'_, str>, known: Option<&'static str>) -> Cow<'static, str> {
    match known {
        Some(known) if known == name => Cow::Borrowed(known),
        _ => Cow::Owned(name.into_owned()),
    }
}

/// Where `part`, which was borrowed from `whole`, lies in it.
fn range_within(whole: &[u8], part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}
