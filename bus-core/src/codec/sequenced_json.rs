//! The native envelope on topics whose services mean the place in the aggregate's stream by `version`.
//!
//! The article that the native format comes from uses the one field for two things: its upcaster reads the version of
//! the payload's schema there, its event store the place in the stream (`getEvents(fromVersion)`). Whoever publishes
//! from such a store writes the place, and a reader that took it for a version would refuse every event but the first.
//!
//! ```
//! use jitney_core::codec::{Codec, NativeJson};
//! use jitney_core::event::Version;
//! # use jitney_core::message::{Message, Topic};
//! # let body = br#"{"eventId":"e-1","eventType":"OrderPaid","aggregateId":"42","aggregateType":"Order",
//! #   "timestamp":"2026-01-02T03:04:05.678Z","version":7,"payload":{}}"#;
//! # let topic = Topic::Static("Order-events");
//! # let time = jiff::Timestamp::UNIX_EPOCH;
//! # let message = Message { topic, key: None, headers: Vec::new(), time, body: body.to_vec().into() };
//!
//! let decoded = NativeJson::version_is_sequence().decode(&message, None)?; // of `"version":7`
//! assert_eq!(decoded.head.sequence, Some(7));
//! assert_eq!(decoded.head.version, Version::new(1, 0));
//! # Ok::<(), jitney_core::Error>(())
//! ```

use super::native_json::{decode, encode};
use super::{Codec, Decoded, Destination, EncodePayload, Encoded, NativeJson};
use crate::event::EventType;
use crate::message::Message;
use crate::{Error, Head};

/// [`NativeJson`], but for the meaning of `version`: the place in the aggregate's stream, from 1.
///
/// Reading, `version` is the sequence, 0 is none (an event that is in no stream), and the version of the schema is 1.0
/// unless `major` and `minor` say otherwise. A field `sequence` is a foreign one here, and kept as such.
///
/// Writing, `version` is the sequence, or 0 where there is none, since readers of such topics count on the field. A
/// version of the schema other than 1.0 goes into `major` and `minor`, which foreign readers pass over: left out, our
/// own readers would take the payload for one of version 1.0 and upcast it a second time.
///
/// Made by [`NativeJson::version_is_sequence`], and given to [`BusBuilder::codec`](crate::publish::BusBuilder::codec).
#[derive(Debug, Clone, Copy, Default)]
pub struct SequencedJson;

impl Codec for SequencedJson {
    fn content_type(&self) -> &'static str {
        NativeJson.content_type()
    }

    fn encode(
        &self,
        _to: Destination<'_>,
        head: &Head,
        payload: &dyn EncodePayload,
    ) -> Result<Encoded, Error> {
        encode::<true>(head, payload)
    }

    fn decode(&self, message: &Message, expected: Option<&'static EventType>) -> Result<Decoded, Error> {
        decode::<true>(message, expected)
    }

    fn peek_event_type<'m>(&self, message: &'m Message) -> Option<&'m str> {
        NativeJson.peek_event_type(message)
    }
}
