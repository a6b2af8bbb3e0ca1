//! Any headers and body: the CloudEvents decoder answers, and what it reads it writes again.
#![no_main]

use jitney::codec::{CloudEvents, Codec, Destination, JsonPayload, PayloadBytes};
use jitney::message::{Header, Message, Topic};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<(String, Vec<u8>)>, Option<Vec<u8>>, Vec<u8>)| {
    let (headers, key, body) = input;
    let prefixed = |name: String| if name == "content-type" { name } else { format!("ce_{name}") };
    let headers = headers.into_iter().map(|(name, value)| Header::new(prefixed(name), value)).collect();
    let message = Message {
        topic: Topic::Static("Order-events"),
        key: key.map(Into::into),
        headers,
        time: jiff::Timestamp::UNIX_EPOCH,
        body: body.into(),
    };
    let codec = CloudEvents::kafka();
    let _ = codec.peek_event_type(&message);
    let Ok(decoded) = codec.decode(&message, None) else { return };
    let payload = match decoded.payload {
        PayloadBytes::InBody(range) => message.body.slice(range),
        PayloadBytes::Own(bytes) => bytes,
    };
    let to = Destination::new("Order-events", "orders");
    // An id or a type that others wrote with control characters is read, and refused when it is to be written.
    let Ok(encoded) = codec.encode(to, &decoded.head, &JsonPayload(payload)) else { return };
    let again = Message { headers: encoded.headers, body: encoded.body, key: None, ..message };
    let again = codec.decode(&again, None).unwrap();
    assert_eq!(again.head.event_id, decoded.head.event_id);
    assert_eq!(again.head.aggregate_id, decoded.head.aggregate_id);
    assert_eq!(again.head.version, decoded.head.version);
    assert_eq!(again.head.metadata.correlation_id, decoded.head.metadata.correlation_id);
});
