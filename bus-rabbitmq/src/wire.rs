//! Messages as AMQP has them, both ways.
//!
//! The body is the codec's. Id, type, correlation id, time, content type and service are AMQP's own properties; headers are
//! the table of headers, and what AMQP has no place for is in headers of ours: the time in milliseconds, the key, and the
//! order of headers where the table, which is sorted, would lose it.
//!
//! Messages of others are read too: their properties then are what ours say in headers.

mod headers;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::codec::{CONTENT_TYPE_HEADER, CORRELATION_ID_HEADER, EVENT_TYPE_HEADER};
use jitney_core::message::{Attributes, Header, Message, Topic};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

pub(crate) use headers::KEY_HEADER;
use headers::{Written, integer};

/// The time of the event, in milliseconds. Whatever has it was written by this transport.
const TIME: &str = "jitney-amqp-time";
/// By which a message that comes back is known again.
const TICKET: &str = "jitney-amqp-ticket";
/// How often a quorum queue has delivered a message before.
const DELIVERY_COUNT: &str = "x-delivery-count";
/// The header that shows the message id of another system's message.
const MESSAGE_ID_HEADER: &str = "message-id";

/// Kept on disk.
const PERSISTENT: u8 = 2;

/// Why a message cannot be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unwritable {
    /// The name of a header is longer than AMQP allows.
    HeaderName(String),
    /// Headers and key take so many bytes.
    Headers(usize),
}

/// What `message` has beside its body.
///
/// # Errors
///
/// When its headers do not fit into AMQP's, or are larger than `most` bytes.
pub(crate) fn properties(
    message: &Message,
    about: Option<&Attributes>,
    content_type: &str,
    most: usize,
) -> Result<BasicProperties, Unwritable> {
    let Written { mut table, bytes } = headers::write(message)?;
    if bytes > most {
        return Err(Unwritable::Headers(bytes));
    }
    table.insert(TIME.into(), AMQPValue::LongLongInt(message.time.as_millisecond()));
    let mut properties = BasicProperties::default().with_headers(table).with_delivery_mode(PERSISTENT);
    // AMQP knows no times before 1970.
    if let Ok(seconds) = u64::try_from(message.time.as_second()) {
        properties = properties.with_timestamp(seconds);
    }
    let said = message.header_str(CONTENT_TYPE_HEADER);
    if let Some(content_type) = said.or(about.map(|_| content_type)).and_then(fitting) {
        properties = properties.with_content_type(content_type);
    }
    if let Some(event_type) = event_type(message, about).and_then(fitting) {
        properties = properties.with_type(event_type);
    }
    if let Some(about) = about {
        if let Some(id) = fitting(about.event_id.to_string()) {
            properties = properties.with_message_id(id);
        }
        if let Some(id) = fitting(about.correlation_id.to_string()) {
            properties = properties.with_correlation_id(id);
        }
        if let Some(service) = fitting(&*about.service) {
            properties = properties.with_app_id(service);
        }
    }
    Ok(properties)
}

/// The type of the event in `message`, where that is known without reading it.
pub(crate) fn event_type<'m>(message: &'m Message, about: Option<&'m Attributes>) -> Option<&'m str> {
    match about {
        Some(about) => Some(&about.event_type),
        None => message.header_str(EVENT_TYPE_HEADER),
    }
}

/// Properties, as they were written, that are known again by `ticket` when the message comes back.
pub(crate) fn ticketed(properties: BasicProperties, ticket: &str) -> BasicProperties {
    let mut table = properties.headers().clone().unwrap_or_default();
    table.insert(TICKET.into(), AMQPValue::LongString(ticket.into()));
    properties.with_headers(table)
}

/// The ticket of a message that came back.
pub(crate) fn ticket(properties: &BasicProperties) -> Option<&str> {
    let ticket = properties.headers().as_ref()?.inner().get(TICKET)?.as_long_string()?;
    std::str::from_utf8(ticket.as_bytes()).ok()
}

/// The message that was delivered from `topic` with `properties` and `body`, and as which delivery of it, from 1; `now` is
/// its time where it says none.
pub(crate) fn message(
    properties: &BasicProperties,
    body: Vec<u8>,
    topic: Topic,
    is_redelivered: bool,
    now: impl FnOnce() -> Timestamp,
) -> (Message, u32) {
    let empty = FieldTable::default();
    let table = properties.headers().as_ref().unwrap_or(&empty);
    let ours = table.inner().get(TIME).and_then(integer).and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let (key, mut headers) = headers::read(table, ours.is_some());
    let time = ours.unwrap_or_else(|| {
        show(&mut headers, EVENT_TYPE_HEADER, properties.kind());
        show(&mut headers, CORRELATION_ID_HEADER, properties.correlation_id());
        show(&mut headers, CONTENT_TYPE_HEADER, properties.content_type());
        show(&mut headers, MESSAGE_ID_HEADER, properties.message_id());
        let said = properties.timestamp().and_then(|seconds| i64::try_from(seconds).ok());
        said.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or_else(now)
    });
    let counted = table.inner().get(DELIVERY_COUNT).and_then(integer);
    let counted = counted.and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    let attempt = counted.max(u32::from(is_redelivered)).saturating_add(1);
    (Message { topic, key, headers, time, body: Bytes::from(body) }, attempt)
}

/// Shows a property as a header, where there is none of that name.
fn show(headers: &mut Vec<Header>, name: &'static str, property: &Option<ShortString>) {
    if let Some(value) = property
        && !headers.iter().any(|header| header.name == name)
    {
        headers.push(Header::new(name, Bytes::copy_from_slice(value.as_str().as_bytes())));
    }
}

/// `text` as a property, where it is short enough for one.
fn fitting(text: impl Into<String>) -> Option<ShortString> {
    ShortString::try_new(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent_and_read(message: &Message) -> (Message, u32) {
        let properties = properties(message, None, "application/json", usize::MAX).unwrap();
        let never = || unreachable!("the time is in the message");
        super::message(&properties, message.body.to_vec(), message.topic.clone(), false, never)
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from);
        let names = prop::sample::select(vec![
            "event-type",
            "correlation-id",
            "content-type",
            "a",
            "b",
            "twice",
            "CC",
            "x-death",
            "x-delivery-count",
            "jitney-amqp-time",
            "jitney-amqp-key",
            "jitney-amqp-order",
            "jitney-amqp-header-CC",
            "",
        ]);
        let headers = prop::collection::vec((names, bytes()), 0..8);
        let time = (-62_135_596_800_000_i64..253_402_300_799_000)
            .prop_map(|ms| Timestamp::from_millisecond(ms).unwrap());
        (prop::option::of(bytes()), headers, time, bytes()).prop_map(|(key, headers, time, body)| Message {
            topic: "Order-events".into(),
            key,
            headers: headers.into_iter().map(|(name, value)| Header::new(name, value)).collect(),
            time,
            body,
        })
    }

    proptest! {
        #[test]
        fn a_message_comes_back_as_it_was(message in any_message()) {
            prop_assert_eq!(sent_and_read(&message), (message, 1));
        }
    }

    fn foreign(properties: &BasicProperties) -> Message {
        let now = || Timestamp::from_second(99).unwrap();
        message(properties, b"{}".to_vec(), "events".into(), false, now).0
    }

    #[test]
    fn a_message_of_another_system_is_what_its_properties_say() {
        let mut table = FieldTable::default();
        table.insert("retries".into(), AMQPValue::LongInt(3));
        table.insert("nested".into(), AMQPValue::FieldTable(FieldTable::default()));
        let properties = BasicProperties::default()
            .with_type("OrderCreated".into())
            .with_message_id("m-1".into())
            .with_timestamp(7)
            .with_headers(table);
        let read = foreign(&properties);
        assert_eq!((read.time.as_second(), &read.key), (7, &None));
        let headers: Vec<_> = read.headers.iter().map(|header| (&*header.name, &header.value[..])).collect();
        let wanted: [(&str, &[u8]); 3] =
            [("retries", b"3"), ("event-type", b"OrderCreated"), ("message-id", b"m-1")];
        assert_eq!(headers, wanted);
        assert_eq!(foreign(&BasicProperties::default()).time.as_second(), 99);
    }

    #[test]
    fn deliveries_are_counted() {
        let mut table = FieldTable::default();
        table.insert(DELIVERY_COUNT.into(), AMQPValue::LongLongInt(4));
        let counted = BasicProperties::default().with_headers(table);
        let read = |properties: &BasicProperties, is_redelivered| {
            message(properties, Vec::new(), "t".into(), is_redelivered, || Timestamp::UNIX_EPOCH)
        };
        assert_eq!(read(&counted, true).1, 5);
        assert_eq!(read(&counted, true).0.headers, []);
        assert_eq!(read(&BasicProperties::default(), true).1, 2);
        assert_eq!(read(&BasicProperties::default(), false).1, 1);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let mut message = Message {
            topic: "t".into(),
            key: None,
            headers: vec![Header::new("a", "12345")],
            time: Timestamp::UNIX_EPOCH,
            body: Bytes::new(),
        };
        assert!(matches!(properties(&message, None, "", 5), Err(Unwritable::Headers(6..))));
        message.headers.push(Header::new("x".repeat(256), ""));
        assert!(matches!(properties(&message, None, "", 5), Err(Unwritable::HeaderName(_))));
    }
}
