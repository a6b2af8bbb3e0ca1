//! Between messages and Kafka's records, both ways.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::codec::{CORRELATION_ID_HEADER, EVENT_TYPE_HEADER};
use jitney_core::message::{Header, Message, Topic};
use rdkafka::message::{Headers, Message as Record, OwnedHeaders};
use rdkafka::producer::BaseRecord;

/// Marks a message whose record had no value (a tombstone, by which a compacted topic forgets a key). It is not part of the
/// record: where such a message is published, as a dead letter for example, the record has no value again.
pub const TOMBSTONE_HEADER: &str = "jitney-tombstone";

/// Names of headers that need not be copied.
const KNOWN: &[&str] = &[EVENT_TYPE_HEADER, CORRELATION_ID_HEADER, "content-type"];

/// The record of `message`, which `opaque` is told of.
pub(crate) fn record<D: rdkafka::util::IntoOpaque>(
    message: &Message,
    opaque: D,
) -> BaseRecord<'_, [u8], [u8], D> {
    let mut record = BaseRecord::with_opaque_to(&message.topic, opaque);
    let is_tombstone = message.body.is_empty() && message.header(TOMBSTONE_HEADER).is_some();
    if !is_tombstone {
        record = record.payload(&message.body[..]);
    }
    if let Some(key) = &message.key {
        record = record.key(&key[..]);
    }
    // Kafka knows no times before 1970, and takes 0 for "now".
    record = record.timestamp(message.time.as_millisecond().max(1));
    if !message.headers.is_empty() {
        let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
        for header in message.headers.iter().filter(|header| header.name != TOMBSTONE_HEADER) {
            let key = writable(&header.name);
            headers = headers.insert(rdkafka::message::Header { key: &key, value: Some(&header.value[..]) });
        }
        record = record.headers(headers);
    }
    record
}

/// The message of `record`, which came from `topic`.
///
/// Everything that is kept lies in one block of memory, parts of which are handed out: what an event costs to receive is
/// mostly what it takes to allocate.
pub(crate) fn message(record: &impl Record, topic: Topic) -> Message {
    let (key, body) = (record.key(), record.payload());
    let found = record.headers();
    let count = found.map_or(0, Headers::count);
    let mut headers = Vec::with_capacity(count + usize::from(body.is_none()));
    let header = |index| {
        // The client panics at a name that is not UTF-8, which the protocol does not allow and brokers do.
        let read = catch_unwind(AssertUnwindSafe(|| found.and_then(|found| found.try_get(index))));
        read.unwrap_or(Some(rdkafka::message::Header { key: UNREADABLE, value: None }))
    };
    let (body_len, key_len) = (body.map_or(0, <[u8]>::len), key.map_or(0, <[u8]>::len));
    let mut block = Vec::with_capacity(body_len + key_len + count * ROOM_PER_HEADER);
    block.extend_from_slice(body.unwrap_or_default());
    block.extend_from_slice(key.unwrap_or_default());
    for header in (0..count).filter_map(header) {
        block.extend_from_slice(header.value.unwrap_or_default());
        // Its value is cut out when the block is complete.
        headers.push((name(header.key), block.len()));
    }
    let block = Bytes::from(block);
    let mut start = body_len + key_len;
    let mut headers: Vec<Header> = headers
        .into_iter()
        .map(|(name, end)| {
            let value = block.slice(start..end);
            start = end;
            Header { name, value }
        })
        .collect();
    if body.is_none() {
        headers.push(Header::new(TOMBSTONE_HEADER, Bytes::new()));
    }
    Message {
        topic,
        key: key.map(|_| block.slice(body_len..body_len + key_len)),
        headers,
        time: time(record),
        body: block.slice(..body_len),
    }
}

/// The name of a header as the client can write it: it panics at a zero.
fn writable(name: &str) -> Cow<'_, str> {
    match name.contains('\0') {
        true => Cow::Owned(name.replace('\0', UNREADABLE)),
        false => Cow::Borrowed(name),
    }
}

/// What a header is called whose name cannot be read.
const UNREADABLE: &str = "\u{fffd}";

/// About what the value of a header takes.
const ROOM_PER_HEADER: usize = 48;

fn name(name: &str) -> Cow<'static, str> {
    match KNOWN.iter().find(|known| **known == name) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(name.to_owned()),
    }
}

fn time(record: &impl Record) -> Timestamp {
    let millis = record.timestamp().to_millis();
    millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp as Time;
    use rdkafka::message::OwnedMessage;

    use super::*;

    fn event() -> Message {
        Message {
            topic: "Order-events".into(),
            key: Some("42".into()),
            headers: vec![
                Header::new("event-type", "OrderCreated"),
                Header::new("twice", "1"),
                Header::new("twice", &b"\xff"[..]),
            ],
            time: Timestamp::from_millisecond(7).unwrap(),
            body: "{}".into(),
        }
    }

    /// What a reader gets of the record of `message`.
    fn sent(message: &Message) -> OwnedMessage {
        let record = record(message, ());
        let (payload, key) = (record.payload.map(<[u8]>::to_vec), record.key.map(<[u8]>::to_vec));
        let time = Time::CreateTime(record.timestamp.unwrap());
        OwnedMessage::new(payload, key, record.topic.to_owned(), time, 0, 0, record.headers)
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        let bare = Message { key: None, headers: Vec::new(), ..event() };
        let empty = Message { key: Some("".into()), body: "".into(), ..event() };
        for message in [event(), bare, empty] {
            assert_eq!(super::message(&sent(&message), message.topic.clone()), message);
        }
    }

    #[test]
    fn a_record_without_a_value_is_without_one_again() {
        let tombstone = OwnedMessage::new(None, None, "t".to_owned(), Time::NotAvailable, 0, 0, None);
        let read = message(&tombstone, "t".into());
        assert_eq!((&read.body[..], &read.key, read.time), (&b""[..], &None, Timestamp::UNIX_EPOCH));
        let again = sent(&read);
        assert!(again.payload().is_none());
        assert_eq!(again.headers().map_or(0, Headers::count), 0);
        let with_body = Message { body: "{}".into(), ..read };
        assert!(sent(&with_body).payload().is_some(), "a body is never dropped");
    }

    #[test]
    fn times_that_kafka_does_not_know_are_the_first_that_it_knows() {
        for millis in [-5, 0] {
            let early = Message { time: Timestamp::from_millisecond(millis).unwrap(), ..event() };
            assert_eq!(sent(&early).timestamp(), Time::CreateTime(1));
        }
    }

    #[test]
    fn a_header_without_a_value_is_empty_and_a_zero_in_a_name_does_no_harm() {
        let null = rdkafka::message::Header { key: "null", value: None::<&str> };
        let headers = Some(OwnedHeaders::new().insert(null));
        let record = OwnedMessage::new(None, None, "t".to_owned(), Time::NotAvailable, 0, 0, headers);
        assert_eq!(message(&record, "t".into()).headers[0], Header::new("null", ""));
        let odd = Message { headers: vec![Header::new("a\0b", "1")], ..event() };
        let read = message(&sent(&odd), "t".into());
        assert_eq!(read.headers, [Header::new("a\u{fffd}b", "1")]);
    }
}
