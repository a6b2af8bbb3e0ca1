//! Between the store's records and messages: events as the bus publishes them, and marks by which a stream changes its state.
//!
//! A mark is an envelope without a sequence, of the type `StreamArchived`, `StreamRestored` or `StreamEnded`, with a header
//! that tells it from an event that was published. It is a record like any other: the topic is not compacted, and a Kafka
//! tombstone would say nothing of the state.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::codec::{Codec, Destination, JsonPayload, NativeJson, PayloadBytes};
use jitney_core::event::Version;
use jitney_core::message::{Header, Message, Topic};
use jitney_core::{Env, Head, Id};
use jitney_sourcing::{Error, ErrorKind, NewEvent, Position, StreamId, StreamState};

use super::failure;

/// The header of a mark, with the stream's new state.
const STATE_HEADER: &str = "jitney-stream-state";

/// The states, with what their marks are called.
const STATES: [(StreamState, &str, &str); 3] = [
    (StreamState::Open, "open", "StreamRestored"),
    (StreamState::Archived, "archived", "StreamArchived"),
    (StreamState::Ended, "ended", "StreamEnded"),
];

/// What a record is.
pub(super) enum Found {
    /// An event of the store, whose head has a sequence.
    Event { head: Arc<Head>, payload: Bytes },
    /// The stream of this aggregate is in this state from now on.
    Mark { id: Id, aggregate_id: String, state: StreamState },
    /// An event that was published and not stored.
    Foreign,
    /// Nothing that can be read.
    Damaged(jitney_core::Error),
}

/// The record of `event`, the `sequence`-th of `stream`.
pub(super) fn event(
    topic: &Topic,
    stream: &StreamId,
    sequence: u64,
    event: NewEvent,
    now: Timestamp,
) -> Result<Message, Error> {
    let stored = event.into_stored(stream, sequence, Position::START);
    let payload = JsonPayload(stored.payload_json().clone());
    // The cluster refuses records of the future.
    let time = stored.head().time.min(now);
    encode(topic, stored.head(), &payload, time)
}

/// The record of the id `id` by which `stream` is in `state`.
pub(super) fn mark(
    topic: &Topic,
    id: &Id,
    stream: &StreamId,
    state: StreamState,
    env: &Env,
) -> Result<Message, Error> {
    let (_, name, event_type) = STATES.into_iter().find(|(known, ..)| *known == state).unwrap_or(STATES[2]);
    let now = env.now();
    let head = Head::new(
        id.clone(),
        event_type,
        stream.shared_aggregate_type(),
        stream.aggregate_id().to_owned(),
        now,
        Version::new(1, 0),
    );
    let mut message = encode(topic, &head, &JsonPayload(Bytes::from_static(b"{}")), now)?;
    message.headers.push(Header::new(STATE_HEADER, name));
    Ok(message)
}

fn encode(topic: &Topic, head: &Head, payload: &JsonPayload, time: Timestamp) -> Result<Message, Error> {
    let doing =
        || format!("writing `{}` of stream {}/{}", head.event_type, head.aggregate_type, head.aggregate_id);
    let encoded = NativeJson.encode(Destination::new(topic, ""), head, payload);
    let encoded = encoded.map_err(|source| Error::new(ErrorKind::Encode, doing()).with_source(source))?;
    let key = Some(Bytes::copy_from_slice(head.aggregate_id.as_bytes()));
    Ok(Message { topic: topic.clone(), key, headers: encoded.headers, time, body: encoded.body })
}

/// What `message` is.
pub(super) fn read(message: &Message) -> Found {
    let decoded = match NativeJson.decode(message, None) {
        Ok(decoded) => decoded,
        Err(error) => return Found::Damaged(error),
    };
    let state = message.header_str(STATE_HEADER);
    if let Some((state, ..)) = STATES.into_iter().find(|(_, name, _)| Some(*name) == state) {
        let Head { event_id, aggregate_id, .. } = &*decoded.head;
        return Found::Mark { id: event_id.clone(), aggregate_id: aggregate_id.clone(), state };
    }
    if decoded.head.sequence.is_none() {
        return Found::Foreign;
    }
    let payload = match decoded.payload {
        PayloadBytes::InBody(range) => message.body.slice(range),
        PayloadBytes::Own(bytes) => bytes,
    };
    Found::Event { head: decoded.head, payload }
}

/// Refuses what cannot be written: a payload that is no JSON text would spoil the envelope around it.
pub(super) fn check(stream: &StreamId, event: &NewEvent) -> Result<(), Error> {
    let read: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(&event.payload);
    read.map(drop).map_err(|source| {
        let what = format!(
            "appending event {} to stream {stream}: its payload is no JSON text; events are stored as JSON",
            event.event_id
        );
        Error::new(ErrorKind::Invalid, what).with_source(source)
    })
}

/// A record at `offset` of a partition could not be read.
pub(super) fn unreadable(doing: &str, error: jitney_core::Error) -> Error {
    let error = failure::of_cluster(doing, error);
    Error::new(ErrorKind::Decode, error.to_string()).with_source(error)
}
