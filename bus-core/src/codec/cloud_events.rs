//! [CloudEvents 1.0](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md), for topics that are shared with
//! systems which speak it.
//!
//! Written is the binary mode: the payload is the body, the envelope is in headers. Read are the binary mode and, where
//! the content type says so, the structured mode in its
//! [JSON format](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md).
//!
//! | attribute | of the envelope | where it is missing |
//! |---|---|---|
//! | `specversion` | always `1.0` | an error |
//! | `id` | event id | an error |
//! | `type` | event type | an error |
//! | `source` | `/{service}/{aggregate type}`, or the pair [`SOURCE_PAIR`] | an error |
//! | `subject` | aggregate id | the message's key, or else the event id |
//! | `time` | time, RFC 3339 in milliseconds | the message's time |
//! | `datacontenttype` | always `application/json` | JSON |
//! | `aggregatetype` | aggregate type | the last segment of `source`'s path, or else all of it |
//! | `dataversion` | version of the schema, `major.minor` | 1.0 |
//! | `aggregatesequence` | sequence, in decimal digits | none |
//! | `userid` | user id | none |
//! | [`correlationid`, `causationid`][correlation] | correlation and causation id | its own chain; none |
//! | [`traceparent`, `tracestate`][tracing] | trace context | none |
//! | any other | the pair of the same name | |
//! | `jitneyenvelope` | JSON: what has no lawful name or value | nothing |
//!
//! Pairs with a lawful name (lower-case ASCII letters and digits) are attributes of their own, and attributes of other
//! systems are pairs; so they come through, whichever wire an event goes on over. `dataschema` is one of them.
//!
//! An event of another system that is published again keeps its `source`, which the spec takes together with `id` for the
//! event's identity. It travels in the pair [`SOURCE_PAIR`].
//!
//! The sequence has an attribute of its own because the spec's
//! [`sequence`](https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/sequence.md) orders all events of one
//! *source*, and an aggregate's stream is one *subject* of it: a reader that compared them would drop or reorder events.
//! For the same reason a foreign `sequence` is a pair, and not the place in a stream.
//!
//! Values are UTF-8 as they stand. Percent-encoding belongs to the HTTP binding; those of
//! [Kafka](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md) and
//! [AMQP](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md) have none.
//!
//! ```
//! use jitney_core::codec::CloudEvents;
//! use jitney_core::{Bus, transport::Transport};
//!
//! fn shared_with_partners(transport: impl Transport) -> Bus {
//!     Bus::builder(transport).codec(CloudEvents::kafka()).build()
//! }
//! ```
//!
//! [correlation]: https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/correlation.md
//! [tracing]: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/distributed-tracing.md

mod attribute;
mod base64;
mod binary;
mod head;
mod lawful;
mod rest;
mod structured;
mod write;

use attribute::Binding;

use super::{Codec, Decoded, Destination, EncodePayload, Encoded};
use crate::event::EventType;
use crate::message::{Header, Message};
use crate::{Error, ErrorKind, Head};

/// The header that carries the media type of the body; on AMQP it is a property of the message, which a transport shows
/// as a header of this name.
pub const CONTENT_TYPE_HEADER: &str = "content-type";

/// The pair in an event's metadata that holds the CloudEvents `source` which it came with, and goes on with.
pub const SOURCE_PAIR: &str = "cloudevents-source";

const JSON: &str = "application/json";

/// Writes events as CloudEvents 1.0 in binary mode, and reads binary and structured mode.
///
/// See the table of [attributes](self) for what becomes of an envelope, and for what is taken for granted where another
/// system's event does not say it.
#[derive(Debug, Clone, Copy)]
pub struct CloudEvents {
    binding: Binding,
}

impl CloudEvents {
    /// By the Kafka binding: attributes in headers that begin with `ce_`. Also for transports without a binding of their
    /// own, such as the one in memory.
    pub const fn kafka() -> Self {
        CloudEvents { binding: Binding::Kafka }
    }

    /// By the AMQP binding: attributes in application properties that begin with `cloudEvents_`, as the spec prefers;
    /// those that begin with `cloudEvents:` are read too. Properties of other types than text are handed in as their
    /// canonical text.
    pub const fn amqp() -> Self {
        CloudEvents { binding: Binding::Amqp }
    }
}

/// The envelope alone, for codecs whose bodies are not JSON.
impl CloudEvents {
    /// Writes the headers of binary mode for an event whose body is of the media type `content_type`.
    ///
    /// # Errors
    ///
    /// When the id or the type of the event is no lawful attribute.
    pub fn encode_head(
        &self,
        to: Destination<'_>,
        head: &Head,
        content_type: &'static str,
    ) -> Result<Vec<Header>, Error> {
        write::headers(self.binding, to, head, content_type).map_err(|cause| {
            let what = format!("encoding `{}` {} as a CloudEvent", head.event_type, head.event_id);
            Error::new(ErrorKind::Encode, what).with_source(cause)
        })
    }

    /// Reads the headers of binary mode, whatever the body is. None where there are none of an event's, not even damaged ones.
    ///
    /// # Errors
    ///
    /// When an attribute that is required is missing, or one is damaged.
    pub fn decode_head(
        &self,
        message: &Message,
        expected: Option<&'static EventType>,
    ) -> Result<Option<Head>, Error> {
        let is_attribute = |header: &Header| self.binding.attribute_in(&header.name).is_some();
        if !message.headers.iter().any(is_attribute) {
            return Ok(None);
        }
        let head = binary::attributes(self.binding, message)
            .and_then(|attributes| head::head(self.binding, attributes, message, expected));
        head.map(Some).map_err(|cause| unreadable(message, cause))
    }
}

fn unreadable(message: &Message, cause: String) -> Error {
    let what = format!("reading a CloudEvent of {} bytes from topic `{}`", message.body.len(), message.topic);
    Error::new(ErrorKind::Decode, what).with_source(cause)
}

impl Codec for CloudEvents {
    fn content_type(&self) -> &'static str {
        JSON
    }

    fn encode(
        &self,
        to: Destination<'_>,
        head: &Head,
        payload: &dyn EncodePayload,
    ) -> Result<Encoded, Error> {
        let headers = self.encode_head(to, head, JSON)?;
        let mut body = Vec::with_capacity(256);
        payload.write_json(&mut body).map_err(|error| {
            let what = format!("encoding `{}` {} as a CloudEvent", head.event_type, head.event_id);
            Error::new(ErrorKind::Encode, what).with_source(error)
        })?;
        Ok(Encoded { headers, body: body.into() })
    }

    fn decode(&self, message: &Message, expected: Option<&'static EventType>) -> Result<Decoded, Error> {
        let found = match structured::format(message) {
            Some(format) => structured::read(format, &message.body),
            None => binary::read(self.binding, message),
        };
        found
            .and_then(|found| head::decode(self.binding, found, message, expected))
            .map_err(|cause| unreadable(message, cause))
    }

    fn peek_event_type<'m>(&self, message: &'m Message) -> Option<&'m str> {
        binary::event_type(self.binding, message)
    }
}
