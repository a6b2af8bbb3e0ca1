//! Events through the native codec, there and back.

use std::sync::Arc;

use jitney::codec::{Codec, Destination, NativeJson};
use jitney::event::{DecodeError, DomainEvent, StoredPayload, Version};
use jitney::message::Message;
use jitney::{Head, Id, RawEvent};

/// The JSON text of the payload that is on the wire for `event`.
pub(crate) fn payload<E: DomainEvent>(event: &E) -> String {
    let raw = encode(event);
    String::from_utf8(raw.payload_json().to_vec()).expect("JSON is UTF-8")
}

/// Sends `event` through the codec, and reads it again.
pub(crate) fn round_trip<E: DomainEvent>(event: &E) -> E {
    encode(event).decode().expect("what was written can be read")
}

/// Reads `payload`, which was stored as `event_type` at `version`.
pub(crate) fn stored<E: DomainEvent>(
    event_type: &str,
    version: (u32, u32),
    payload: &str,
) -> Result<E, DecodeError> {
    E::decode(&StoredPayload::new(event_type, Version::new(version.0, version.1), payload.as_bytes()))
}

fn encode<E: DomainEvent>(event: &E) -> RawEvent {
    let event_type = event.event_type();
    let time = "2026-01-02T03:04:05.678Z".parse().expect("a time");
    let head = Head::new(
        Id::from("e-1"),
        event_type.name(),
        event_type.aggregate(),
        "42".into(),
        time,
        event_type.version(),
    );
    let encoded = NativeJson
        .encode(Destination::new(event_type.topic(), "shop"), &head, event)
        .expect("the event can be written");
    let topic = event_type.topic().into();
    let message = Message { topic, key: None, headers: encoded.headers, time, body: encoded.body };
    let decoded = NativeJson.decode(&message, None).expect("what was written can be read");
    assert_eq!(*decoded.head, head);
    RawEvent::new(decoded, Arc::new(message))
}
