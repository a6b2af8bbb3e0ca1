//! From what a rule delivers to a message: one function, whether an SQS queue or AWS Lambda hands it over.
//!
//! The body stays as it came: [`DetailJson`](crate::DetailJson) reads it, and a dead letter of it is untouched. Topic, key,
//! time and headers are read out of it once.
//!
//! ```
//! use jitney_eventbridge::inbound::{Arrival, message};
//!
//! let body = br#"{"id":"e-1","source":"shop.Order","detail-type":"OrderShipped","time":"2026-01-02T03:04:05Z",
//!                 "detail":{"orderId":"42","metadata":{"correlationId":"c-1"}}}"#;
//! let message = message(body.to_vec().into(), Arrival::default(), &[]);
//! assert_eq!(&*message.topic, "Order-events");
//! assert_eq!(message.header_str("event-type"), Some("OrderShipped"));
//! assert_eq!(message.header_str("correlation-id"), Some("c-1"));
//! ```

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::Id;
use jitney_core::codec::{CORRELATION_ID_HEADER, EVENT_TYPE_HEADER};
use jitney_core::message::{Header, Message, Topic};
use jitney_core::transport::Interest;

use crate::body::{Author, Body};
use crate::routing::topic_of;

/// The header with EventBridge's own id of an event: it differs where a publisher repeated its request.
pub const ID_HEADER: &str = "eventbridge-id";
/// The header with the `source` of an event: `{service}.{aggregateType}`, or the name of a foreign system.
pub const SOURCE_HEADER: &str = "eventbridge-source";
/// The header with the name of the replay that brought an event, if one did.
pub const REPLAY_HEADER: &str = "eventbridge-replay";
/// The header with the id that the queue gave to a message.
pub const MESSAGE_ID_HEADER: &str = "sqs-message-id";

/// The topic of a body that says nothing, where the group reads none.
const NO_TOPIC: &str = "eventbridge";

/// Whether the header `name` tells of an arrival: it is made anew at each, and is not part of what is published.
pub(crate) fn is_of_arrival(name: &str) -> bool {
    matches!(name, ID_HEADER | SOURCE_HEADER | REPLAY_HEADER | MESSAGE_ID_HEADER)
}

/// How a body came.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// The id of the queue's message, where a queue was between. It names an event for which nobody else has an id.
    pub message_id: Option<String>,
    /// When it came into the queue, or now: the time of an event for which nobody else has one.
    pub time: Timestamp,
    /// What came beside the body, as the attributes of an SQS message.
    pub headers: Vec<Header>,
}

/// The message in `body`, which came as `arrival` says, for a group with these `interests`: events of a source that one of
/// them names are foreign, whatever they look like, and have its topic.
///
/// There is a message of every body, also of one that is no event: the codec then refuses it, and it becomes a dead letter.
pub fn message(body: Bytes, arrival: Arrival, interests: &[Interest]) -> Message {
    let Arrival { message_id, time, headers: beside } = arrival;
    let read = Body::read(&body).ok();
    let mut headers = Vec::with_capacity(beside.len() + 6);
    let mut message = match &read {
        Some(read) => of_event(read, time, interests, &mut headers),
        None => {
            let topic = interests.first().map_or_else(|| NO_TOPIC.to_owned(), |first| first.topic.clone());
            Message { topic: topic.into(), key: None, headers: Vec::new(), time, body: Bytes::new() }
        }
    };
    let is_kept = beside.iter().any(|header| header.name == MESSAGE_ID_HEADER);
    if let Some(id) = message_id.filter(|_| !is_kept) {
        headers.push(Header::new(MESSAGE_ID_HEADER, id));
    }
    headers.extend(beside);
    message.headers = headers;
    drop(read);
    message.body = body;
    message
}

fn of_event(
    read: &Body<'_>,
    arrived: Timestamp,
    interests: &[Interest],
    headers: &mut Vec<Header>,
) -> Message {
    let source = read.outer.as_ref().map(|outer| &*outer.source);
    let foreign = interests.iter().find(|interest| source.is_some() && interest.source.as_deref() == source);
    let author = read.author(|_| foreign.is_some());
    // Where it cannot be read, the codec says so.
    let facts = read.facts(author).unwrap_or_default();
    let routing = facts.routing;
    let aggregate = facts.aggregate_type.as_deref().or_else(|| read.aggregate_type(author));
    let topic = match (routing.topic, foreign) {
        (Some(topic), _) => topic,
        (None, Some(interest)) => interest.topic.clone(),
        (None, None) => aggregate.map_or_else(|| NO_TOPIC.to_owned(), topic_of),
    };
    let event_type = match &read.outer {
        Some(outer) => Some(Cow::Borrowed(&*outer.detail_type)),
        None => read.detail.event_type(),
    };
    let id = facts.event_id.or_else(|| read.id());
    let correlation = facts.metadata.correlation_id.or_else(|| id.filter(|_| author != Author::Foreign));
    let mut add = |name: &'static str, value: Option<String>| {
        headers.extend(value.map(|value| Header::new(name, value)));
    };
    add(EVENT_TYPE_HEADER, event_type.map(Cow::into_owned));
    add(CORRELATION_ID_HEADER, correlation.as_ref().map(Id::to_string));
    let outer = read.outer.as_ref();
    add(ID_HEADER, outer.and_then(|outer| outer.id.as_deref().map(str::to_owned)));
    add(SOURCE_HEADER, source.map(str::to_owned));
    add(REPLAY_HEADER, outer.and_then(|outer| outer.replay.as_deref().map(str::to_owned)));
    headers.extend(routing.headers.into_iter().map(|(name, value)| Header::new(name, value)));
    let key = routing
        .key
        .unwrap_or_else(|| facts.aggregate_id.clone().or_else(|| read.aggregate_id().map(str::to_owned)));
    let routed_time = routing.time.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    let time = routed_time.or(facts.time).or_else(|| outer.and_then(|outer| outer.time));
    Message {
        topic: Topic::from(topic),
        key: key.map(Bytes::from),
        headers: Vec::new(),
        time: time.unwrap_or(arrived),
        body: Bytes::new(),
    }
}
