//! What the tests of every codec need: messages, any envelope, and the article's.

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::codec::{Codec, Decoded, Destination, JsonPayload, PayloadBytes};
use jitney_core::event::Version;
use jitney_core::message::{Message, Topic};
use jitney_core::metadata::TraceContext;
use jitney_core::{Error, Head, Id, Metadata};
use proptest::collection::btree_map;
use proptest::option::of;
use proptest::prelude::*;

/// An envelope as the TypeScript services of the article write it.
pub(crate) const ARTICLES: &str = r#"{"eventId":"0b8a7c1e-3c55-4a0e-9f43-0e6f4a3c9d11","eventType":"OrderCreated","aggregateId":"order-42",
    "aggregateType":"Order","timestamp":"2026-01-02T03:04:05.678Z","version":1,
    "payload":{"customerId":"c-7","items":[{"sku":"a","quantity":2}]},
    "metadata":{"userId":"u-1","correlationId":"c-1","causationId":"k-1"}}"#;

/// A message of nothing but a body.
pub(crate) fn message(body: impl Into<Bytes>) -> Message {
    let topic = Topic::Static("Order-events");
    Message { topic, key: None, headers: Vec::new(), time: Timestamp::UNIX_EPOCH, body: body.into() }
}

/// What `codec` writes, as a message of the service `orders`.
pub(crate) fn encode(codec: &dyn Codec, head: &Head, payload: &Bytes) -> Result<Message, Error> {
    let to = Destination::new("Order-events", "orders");
    let encoded = codec.encode(to, head, &JsonPayload(payload.clone()))?;
    Ok(Message { headers: encoded.headers, ..message(encoded.body) })
}

/// What `codec` reads: the head, and the payload as bytes.
pub(crate) fn decode(codec: &dyn Codec, message: &Message) -> Result<(Head, Bytes), Error> {
    let Decoded { head, payload } = codec.decode(message, None)?;
    let payload = match payload {
        PayloadBytes::InBody(range) => message.body.slice(range),
        PayloadBytes::Own(bytes) => bytes,
    };
    Ok(((*head).clone(), payload))
}

pub(crate) fn any_metadata() -> impl Strategy<Value = Metadata> {
    let trace = of((".{0,60}", of(".{0,30}")));
    (of(".{0,20}"), of(".{0,40}"), of(".{0,40}"), trace, btree_map("[a-z]{1,8}", ".{0,12}", 0..4)).prop_map(
        |(user, correlation, causation, trace, pairs)| {
            let mut metadata = Metadata::default();
            metadata.user_id = user;
            metadata.correlation_id = correlation.as_deref().map(Id::from);
            metadata.causation_id = causation.as_deref().map(Id::from);
            metadata.trace = trace.map(|(parent, state)| TraceContext { parent, state });
            metadata.pairs = pairs;
            metadata
        },
    )
}

pub(crate) fn any_head() -> impl Strategy<Value = Head> {
    let names = (".{0,40}", ".{0,30}", ".{0,30}", ".{0,30}");
    (names, 0_i64..4_000_000_000_000, any::<u32>(), any::<u32>(), of(any::<u64>()), any_metadata()).prop_map(
        |((id, event_type, aggregate_type, aggregate_id), millis, major, minor, sequence, metadata)| {
            let time = Timestamp::from_millisecond(millis).unwrap();
            let version = Version::new(major, minor);
            let mut head = Head::new(Id::from(&*id), event_type, aggregate_type, aggregate_id, time, version);
            head.sequence = sequence;
            head.metadata = metadata;
            head
        },
    )
}
