//! The events that checks publish: made by the transport's own codec, and known again by their bodies.

use jiff::Timestamp;
use jitney_core::codec::{Codec, JsonPayload, PayloadBytes};
use jitney_core::event::Version;
use jitney_core::message::{Attributes, Message, Outbound, Topic};
use jitney_core::{Env, Head};
use serde::{Deserialize, Serialize};

use super::failure::{Failure, Outcome};
use crate::history::EventRef;

/// The payload of every event that the suite publishes.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    event: EventRef,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    padding: String,
}

/// The message of `event`, its body longer by `padding` letters.
pub(super) fn encode(codec: &dyn Codec, env: &Env, event: &EventRef, padding: usize) -> Outcome<Outbound> {
    let payload = Payload { event: event.clone(), padding: "x".repeat(padding) };
    let payload =
        serde_json::to_vec(&payload).map_err(|error| Failure(format!("encoding {event}: {error}")))?;
    let time = Timestamp::from_millisecond(env.now().as_millisecond()).unwrap_or_default();
    let version = Version::new(1, 0);
    let head = Head::new(env.new_id(), "Checked", "Conformance", event.key.clone(), time, version);
    let encoded = codec.encode(&event.topic, &head, &JsonPayload(payload.into()))?;
    let message = Message {
        topic: Topic::from(event.topic.clone()),
        key: Some(event.key.clone().into()),
        headers: encoded.headers,
        time,
        body: encoded.body,
    };
    Ok(Outbound { message, attributes: Some(Attributes::from(&head)) })
}

/// The event in a message, as its body names it.
pub(super) fn decode(codec: &dyn Codec, message: &Message) -> Outcome<EventRef> {
    let unreadable = |error: String| Failure(format!("a body came that was not published: {error}"));
    let decoded = codec.decode(message, None).map_err(|error| unreadable(error.to_string()))?;
    let bytes = match &decoded.payload {
        PayloadBytes::InBody(range) => message.body.get(range.clone()).unwrap_or_default(),
        PayloadBytes::Own(bytes) => bytes,
    };
    let payload: Payload = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
    Ok(payload.event)
}
