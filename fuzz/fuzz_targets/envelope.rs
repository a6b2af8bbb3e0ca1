//! Any bytes as the body of a message: the envelope decoder answers, and what it reads it writes again.
#![no_main]

use jitney::codec::{Codec, Destination, JsonPayload, NativeJson, PayloadBytes};
use jitney::message::{Message, Topic};
use libfuzzer_sys::fuzz_target;

fn message(body: bytes::Bytes) -> Message {
    let topic = Topic::Static("Order-events");
    Message { topic, key: None, headers: Vec::new(), time: jiff::Timestamp::UNIX_EPOCH, body }
}

fuzz_target!(|body: &[u8]| {
    let message_in = message(bytes::Bytes::copy_from_slice(body));
    let Ok(decoded) = NativeJson.decode(&message_in, None) else { return };
    let payload = match decoded.payload {
        PayloadBytes::InBody(range) => message_in.body.slice(range),
        PayloadBytes::Own(bytes) => bytes,
    };
    let to = Destination::new("Order-events", "orders");
    let encoded = NativeJson.encode(to, &decoded.head, &JsonPayload(payload)).unwrap();
    let again = NativeJson.decode(&message(encoded.body), None).unwrap();
    assert_eq!(again.head.event_id, decoded.head.event_id);
    assert_eq!(again.head.event_type, decoded.head.event_type);
    assert_eq!(again.head.metadata, decoded.head.metadata);
    assert_eq!(again.head.extensions, decoded.head.extensions);
});
