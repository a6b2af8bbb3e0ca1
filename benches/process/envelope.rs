//! The envelope around an event, for the contestants that carry one: what is built and written
//! on the way out, and what is read back on the way in.
//!
//! On the wire, in this order: `eventId`, `eventType`, `aggregateId`, `aggregateType`, `timestamp`
//! (RFC 3339 with milliseconds), `version`, `minor`, `payload`, `metadata`.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use jiff::fmt::temporal::{DateTimeParser, DateTimePrinter};
use serde::de::{self, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::{Builder, Uuid};

use crate::body::{AGGREGATE_TYPE, EVENT_TYPE, OrderCreated};

static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
static PARSER: DateTimeParser = DateTimeParser::new();

/// The envelope as the publisher writes it, around a borrowed payload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<'a> {
    pub event_id: Uuid,
    pub event_type: &'static str,
    pub aggregate_id: String,
    pub aggregate_type: &'static str,
    #[serde(serialize_with = "write_milliseconds")]
    pub timestamp: Timestamp,
    pub version: u32,
    pub minor: u32,
    pub payload: &'a OrderCreated,
    pub metadata: Metadata,
}

/// The chain of events an event belongs to.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub correlation_id: Uuid,
    pub causation_id: Uuid,
}

/// The envelope as a dispatcher reads it: borrowed, the payload left for the handler's type.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "reading every field is the work")]
pub struct Borrowed<'a> {
    pub event_id: Uuid,
    #[serde(borrow)]
    pub event_type: Cow<'a, str>,
    #[serde(borrow)]
    pub aggregate_id: Cow<'a, str>,
    #[serde(borrow)]
    pub aggregate_type: Cow<'a, str>,
    #[serde(deserialize_with = "read_timestamp")]
    pub timestamp: Timestamp,
    pub version: u32,
    pub minor: u32,
    #[serde(borrow)]
    pub payload: &'a RawValue,
    pub metadata: Metadata,
}

/// The envelope as an owned value, for a library whose codec decodes owned types only.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "reading every field is the work")]
pub struct Owned {
    pub event_id: Uuid,
    pub event_type: String,
    pub aggregate_id: String,
    pub aggregate_type: String,
    #[serde(deserialize_with = "read_timestamp")]
    pub timestamp: Timestamp,
    pub version: u32,
    pub minor: u32,
    pub payload: OrderCreated,
    pub metadata: Metadata,
}

/// Builds envelopes; its ids come from a seeded generator, so no event costs a system call.
#[derive(Debug)]
pub struct Envelopes {
    random: fastrand::Rng,
}

impl Envelopes {
    pub fn seeded(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed) }
    }

    /// The envelope of `order`, happening now.
    pub fn wrap<'a>(&mut self, order: &'a OrderCreated) -> Envelope<'a> {
        let timestamp = Timestamp::now();
        let event_id = self.event_id(timestamp);
        let metadata = Metadata { correlation_id: self.random_id(), causation_id: self.random_id() };
        Envelope {
            event_id,
            event_type: EVENT_TYPE,
            aggregate_id: order.order_id.clone(),
            aggregate_type: AGGREGATE_TYPE,
            timestamp,
            version: 2,
            minor: 1,
            payload: order,
            metadata,
        }
    }

    /// A version 7 id: the millisecond, then random bits.
    fn event_id(&mut self, at: Timestamp) -> Uuid {
        let millis = u64::try_from(at.as_millisecond()).expect("the clock is past 1970");
        let mut tail = [0; 10];
        tail.copy_from_slice(&self.random.u128(..).to_le_bytes()[..10]);
        Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }

    fn random_id(&mut self) -> Uuid {
        Builder::from_random_bytes(self.random.u128(..).to_le_bytes()).into_uuid()
    }
}

fn write_milliseconds<S: Serializer>(timestamp: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = ShortText::default();
    PRINTER.print_timestamp(timestamp, &mut text).map_err(S::Error::custom)?;
    serializer.serialize_str(text.as_str())
}

fn read_timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Timestamp;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an RFC 3339 timestamp")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
            PARSER.parse_timestamp(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text)
}

/// A text of at most 40 bytes on the stack: a printed timestamp takes 24 of them.
struct ShortText {
    bytes: [u8; 40],
    len: usize,
}

impl Default for ShortText {
    fn default() -> Self {
        Self { bytes: [0; 40], len: 0 }
    }
}

impl ShortText {
    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).expect("only whole strings are appended")
    }
}

impl jiff::fmt::Write for ShortText {
    fn write_str(&mut self, text: &str) -> Result<(), jiff::Error> {
        let end = self.len + text.len();
        let room = self
            .bytes
            .get_mut(self.len..end)
            .ok_or_else(|| jiff::Error::from_args(format_args!("the timestamp is longer than 40 bytes")))?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    #[test]
    fn an_envelope_is_read_back_both_ways() {
        let order = body::orders().swap_remove(7);
        let mut envelope = Envelopes::seeded(1).wrap(&order);
        envelope.timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let json = serde_json::to_string(&envelope).unwrap();
        assert!(
            json.contains(r#""timestamp":"2026-01-02T03:04:05.678Z","version":2,"minor":1,"payload":{"#),
            "{json}"
        );

        let borrowed: Borrowed<'_> = serde_json::from_str(&json).unwrap();
        assert_eq!(borrowed.event_id, envelope.event_id);
        assert_eq!(borrowed.event_id.get_version_num(), 7);
        assert_eq!(borrowed.timestamp, envelope.timestamp);
        assert!(matches!(borrowed.aggregate_id, Cow::Borrowed("order-000007")));
        assert_eq!(serde_json::from_str::<OrderCreated>(borrowed.payload.get()).unwrap(), order);

        let owned: Owned = serde_json::from_str(&json).unwrap();
        assert_eq!(owned.payload, order);
        assert_eq!(owned.metadata.causation_id, envelope.metadata.causation_id);
    }
}
