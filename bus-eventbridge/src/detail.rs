//! The wire format on EventBridge: the payload's fields, with `metadata` beside them.
//!
//! ```json
//! {"orderId":"42","total":12,
//!  "metadata":{"eventId":"…","eventType":"OrderCreated","aggregateId":"42","aggregateType":"Order",
//!              "timestamp":"2026-01-02T03:04:05.678Z","version":2,"minor":1,"sequence":7,
//!              "userId":"…","correlationId":"…","causationId":"…","traceparent":"…"}}
//! ```
//!
//! This is the `Detail` of an event whose `Source` is `{service}.{aggregateType}` and whose `DetailType` is the event type.
//! Rules match the payload's fields where they stand (`detail.total`). `minor`, `sequence` and everything behind them are
//! optional. A payload that is no object, or has a field `metadata` or `payload`, stands as a whole under `payload`.
//!
//! The event type and the aggregate type are said again in `metadata`, so that a detail can be read alone: a rule's target
//! with `InputPath` `$.detail` leaves nothing else. EventBridge's own id is new each time a request is repeated, and its time
//! has whole seconds: ours stand in `metadata`.

pub(crate) mod metadata;
mod write;

use jitney_core::codec::{CORRELATION_ID_HEADER, EVENT_TYPE_HEADER};
use jitney_core::codec::{Codec, Decoded, Destination, EncodePayload, Encoded, PayloadBytes};
use jitney_core::event::{EventType, Version};
use jitney_core::message::{Header, Message};
use jitney_core::{Error, ErrorKind, Head, Id};

use std::borrow::Cow;
use std::sync::Arc;

use crate::body::{Body, Payload};
use crate::inbound::{ID_HEADER, MESSAGE_ID_HEADER, SOURCE_HEADER};
use crate::members::range_within;

/// The codec of EventBridge: writes a detail, and reads a detail with or without EventBridge's envelope around it.
///
/// What it reads it takes from three kinds of publishers:
///
/// - Jitney, which says everything in `metadata`;
/// - services that put only `userId`, `correlationId` and `causationId` there: the event's id and time are EventBridge's, its
///   version is 1.0, its aggregate the first of the event's resources, or the event itself;
/// - AWS services and SaaS partners, which know no `metadata`: the payload is the whole detail, and the aggregate type the
///   source.
///
/// ```
/// use jitney_core::codec::Codec;
/// # use jitney_core::message::{Message, Topic};
/// use jitney_eventbridge::DetailJson;
/// # let body = br#"{"version":"0","id":"7bf73129-1428-4cd3-a780-95db273d1602","detail-type":"Object Created",
/// #   "source":"aws.s3","account":"111122223333","time":"2026-01-02T03:04:05Z","region":"eu-west-1",
/// #   "resources":["arn:aws:s3:::photos"],"detail":{"object":{"key":"cat.jpg"}}}"#;
/// # let topic = Topic::Static("aws.s3-events");
/// # let time = jiff::Timestamp::UNIX_EPOCH;
/// # let message = Message { topic, key: None, headers: Vec::new(), time, body: body.to_vec().into() };
///
/// let decoded = DetailJson.decode(&message, None)?; // an event of S3
/// assert_eq!(decoded.head.event_type, "Object Created");
/// assert_eq!(decoded.head.aggregate_id, "arn:aws:s3:::photos");
/// # Ok::<(), jitney_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct DetailJson;

impl Codec for DetailJson {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn encode(
        &self,
        _to: Destination<'_>,
        head: &Head,
        payload: &dyn EncodePayload,
    ) -> Result<Encoded, Error> {
        let body = write::detail(head, payload).map_err(|error| {
            let what = format!("encoding `{}` {} as a detail", head.event_type, head.event_id);
            Error::new(ErrorKind::Encode, what).with_source(error)
        })?;
        let headers = vec![
            Header::new(EVENT_TYPE_HEADER, head.event_type.to_string()),
            Header::new(CORRELATION_ID_HEADER, head.correlation_id().to_string()),
        ];
        Ok(Encoded { headers, body: body.into() })
    }

    fn decode(&self, message: &Message, expected: Option<&'static EventType>) -> Result<Decoded, Error> {
        let failed = |why: &dyn std::fmt::Display| {
            let what = format!(
                "reading an event of {} bytes from topic `{}`: {why}",
                message.body.len(),
                message.topic
            );
            Error::new(ErrorKind::Decode, what)
        };
        let body = Body::read(&message.body).map_err(|error| failed(&error).with_source(error))?;
        let foreign = expected.and_then(EventType::source);
        let author = body.author(|source| foreign == Some(source));
        let facts = body.facts(author).map_err(|error| failed(&"its `metadata`").with_source(error))?;
        let event_type = match &body.outer {
            Some(outer) => Some(outer.detail_type.clone()),
            None => body.detail.event_type().or_else(|| message.header_str(EVENT_TYPE_HEADER).map(Cow::from)),
        };
        let event_type = event_type.ok_or_else(|| {
            failed(&"nothing says its type; let the rule's target pass EventBridge's envelope on, or put `eventType` into `metadata`")
        })?;
        let aggregate_type = facts
            .aggregate_type
            .as_deref()
            .or_else(|| body.aggregate_type(author))
            .or_else(|| message.header_str(SOURCE_HEADER))
            .or_else(|| expected.map(EventType::aggregate))
            .unwrap_or_default();
        let event_id = facts.event_id.or_else(|| body.id()).or_else(|| {
            let id = message.header_str(ID_HEADER).or_else(|| message.header_str(MESSAGE_ID_HEADER));
            id.map(Id::from)
        });
        let event_id = event_id.ok_or_else(|| {
            failed(&"nothing says its id; let the rule's target pass EventBridge's envelope on, or put `eventId` into `metadata`")
        })?;
        let aggregate_id = facts.aggregate_id.or_else(|| body.aggregate_id().map(str::to_owned));
        let mut head = Head::new(
            event_id,
            known_or_owned(event_type, expected.map(EventType::name)),
            known_or_owned(aggregate_type.into(), expected.map(EventType::aggregate)),
            String::new(),
            facts.time.or_else(|| body.outer.as_ref().and_then(|outer| outer.time)).unwrap_or(message.time),
            Version::new(facts.major.unwrap_or(1), facts.minor.unwrap_or(0)),
        );
        head.aggregate_id = aggregate_id.unwrap_or_else(|| head.event_id.to_string());
        head.sequence = facts.sequence;
        head.metadata = facts.metadata;
        head.extensions = facts.extensions;
        let payload = match body.detail.payload(author) {
            Payload::AsItIs(part) => PayloadBytes::InBody(range_in(&message.body, part)),
            Payload::Rebuilt(bytes) => PayloadBytes::Own(bytes),
        };
        Ok(Decoded { head: Arc::new(head), payload })
    }

    fn peek_event_type<'m>(&self, message: &'m Message) -> Option<&'m str> {
        message.header_str(EVENT_TYPE_HEADER)
    }
}

/// Where `part`, which was borrowed from `body`, lies in it.
fn range_in(body: &[u8], part: &str) -> std::ops::Range<usize> {
    std::str::from_utf8(body).map_or(0..0, |body| range_within(body, part))
}

/// `name`, not copied where it is `known`.
fn known_or_owned(name: Cow<'_, str>, known: Option<&'static str>) -> Cow<'static, str> {
    match known {
        Some(known) if known == name => Cow::Borrowed(known),
        _ => Cow::Owned(name.into_owned()),
    }
}
