//! The events that checks publish: made by the transport's own codec, and known again by their bodies.

use std::sync::Arc;

use jiff::Timestamp;
use jitney_core::codec::{Codec, Destination, JsonPayload, PayloadBytes};
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

/// The service that publishes what the suite publishes.
pub(super) const SERVICE: &str = "conformance";

/// The message of `event`, its body longer by `padding` letters.
pub(super) fn encode(codec: &dyn Codec, env: &Env, event: &EventRef, padding: usize) -> Outcome<Outbound> {
    let payload = Payload { event: event.clone(), padding: "x".repeat(padding) };
    let payload =
        serde_json::to_vec(&payload).map_err(|error| Failure(format!("encoding {event}: {error}")))?;
    let time = Timestamp::from_millisecond(env.now().as_millisecond()).unwrap_or_default();
    let version = Version::new(1, 0);
    let head = Head::new(env.new_id(), "Checked", "Conformance", event.key.clone(), time, version);
    let encoded =
        codec.encode(Destination::new(&event.topic, SERVICE), &head, &JsonPayload(payload.into()))?;
    let message = Message {
        topic: Topic::from(event.topic.clone()),
        key: Some(event.key.clone().into()),
        headers: encoded.headers,
        time,
        body: encoded.body,
    };
    Ok(Outbound { message, attributes: Some(Attributes::new(&head, SERVICE.into())) })
}

/// The event in a message, as its body names it.
pub(super) fn decode(codec: &dyn Codec, message: &Message) -> Outcome<EventRef> {
    let (_, payload) = read(codec, message)?;
    let payload: Payload = serde_json::from_value(payload).map_err(|error| unreadable(&error))?;
    Ok(payload.event)
}

/// The envelope of a message, and its payload whatever the spaces in it.
pub(super) fn read(codec: &dyn Codec, message: &Message) -> Outcome<(Head, serde_json::Value)> {
    let decoded = codec.decode(message, None).map_err(|error| unreadable(&error))?;
    let bytes = match &decoded.payload {
        PayloadBytes::InBody(range) => message.body.get(range.clone()).unwrap_or_default(),
        PayloadBytes::Own(bytes) => bytes,
    };
    let payload = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
    Ok((Arc::unwrap_or_clone(decoded.head), payload))
}

fn unreadable(error: &dyn std::error::Error) -> Failure {
    Failure(format!("a body came that was not published: {error}"))
}
