//! The native JSON envelope: what is written is read again, and nothing on the wire makes the reader panic.

use bytes::Bytes;
use jitney_core::codec::NativeJson;
use jitney_core::event::Version;
use jitney_core::message::Message;
use jitney_core::{Error, Head, Id, Metadata};
use proptest::prelude::*;

use super::support::{self, ARTICLES, any_head};

fn decode(body: impl Into<Bytes>) -> Result<(Head, Bytes), Error> {
    support::decode(&NativeJson, &support::message(body))
}

fn encode(head: &Head, payload: &Bytes) -> Bytes {
    written(head, payload).body
}

fn written(head: &Head, payload: &Bytes) -> Message {
    support::encode(&NativeJson, head, payload).unwrap()
}

#[test]
fn reads_the_envelope_of_a_typescript_service() {
    let (head, payload) = decode(ARTICLES).unwrap();
    assert_eq!(head.event_id.to_string(), "0b8a7c1e-3c55-4a0e-9f43-0e6f4a3c9d11");
    assert_eq!(
        (&*head.event_type, &*head.aggregate_type, &*head.aggregate_id),
        ("OrderCreated", "Order", "order-42")
    );
    assert_eq!(head.time.to_string(), "2026-01-02T03:04:05.678Z");
    assert_eq!(head.version, Version::new(1, 0));
    assert_eq!(head.metadata.user_id.as_deref(), Some("u-1"));
    assert_eq!(head.correlation_id(), &Id::from("c-1"));
    assert_eq!(head.metadata.causation_id, Some(Id::from("k-1")));
    assert_eq!(payload, r#"{"customerId":"c-7","items":[{"sku":"a","quantity":2}]}"#);
}

#[test]
fn keeps_fields_that_are_not_ours() {
    let theirs = ARTICLES
        .replacen('{', r#"{"tenant":{"id":7},"#, 1)
        .replace(r#""userId""#, r#""retries":3,"region":"eu","userId""#);
    let (head, payload) = decode(theirs).unwrap();
    let (again, _) = decode(encode(&head, &payload)).unwrap();
    assert_eq!(again.extensions.get("tenant"), Some(r#"{"id":7}"#));
    assert_eq!(again.metadata.extensions.get("retries"), Some("3"));
    assert_eq!(again.metadata.pairs.get("region").map(String::as_str), Some("eu"));
}

#[test]
fn names_what_is_missing() {
    for field in ["eventId", "eventType", "aggregateId", "aggregateType", "timestamp", "version", "payload"] {
        let without = ARTICLES.replace(&format!("\"{field}\""), "\"other\"");
        let error = jitney_core::error_chain(&decode(without).unwrap_err());
        assert!(error.contains(&format!("missing field `{field}`")), "{error}");
        assert!(error.starts_with("reading an envelope of "), "{error}");
    }
}

/// The same, as it is written here: without white space.
fn compact() -> String {
    ARTICLES.split_whitespace().collect()
}

#[test]
fn keeps_fields_between_payload_and_metadata() {
    let (head, _) =
        decode(compact().replace(r#","metadata""#, r#","sequence":7,"tenant":"t","metadata""#)).unwrap();
    assert_eq!((head.sequence, head.extensions.get("tenant")), (Some(7), Some("\"t\"")));
    decode(compact().replace(r#""payload":{"#, r#""payload":1},{"#)).unwrap_err();
}

#[test]
fn finds_the_envelopes_own_payload() {
    let own = r#"{"customerId":"c-7","items":[{"sku":"a","quantity":2}]}"#;
    for (wire, expected) in [
        (ARTICLES.to_owned(), own),
        (ARTICLES.replacen('{', r#"{"tenant":{"payload":{"no":1}},"#, 1), own),
        (
            ARTICLES
                .replacen('{', r#"{"tenant":"\"payload\":{",""#, 1)
                .replace(r#",""eventId""#, r#","eventId""#),
            own,
        ),
        (ARTICLES.replacen('{', r#"{"payload":{"earlier":1},"#, 1), own),
        (ARTICLES.replace(r#""payload":"#, r#""payload" : "#), own),
        (ARTICLES.replace(r#""payload":"#, r#""p\u0061yload":"#), own),
        (ARTICLES.replace(own, "[1,\"}\\\"]\",{}]"), "[1,\"}\\\"]\",{}]"),
        (
            ARTICLES.replace(own, r#"{"a":[{"b":1,"metadata":{"c":{}}}]}"#),
            r#"{"a":[{"b":1,"metadata":{"c":{}}}]}"#,
        ),
        (ARTICLES.replace(r#""correlationId""#, r#""x":{"y":1,"metadata":{"z":{}}},"correlationId""#), own),
        (
            ARTICLES.replace(
                r#""correlationId""#,
                r#""x":{"y":1,"payload":{},"metadata":{"z":{}}},"correlationId""#,
            ),
            own,
        ),
        (compact().replace(r#","metadata""#, r#","sequence":7,"tenant":"t","metadata""#), own),
        (compact().replace(r#","metadata""#, r#","tenant":{"a":{}},"metadata""#), own),
        (
            compact().replace(
                r#""correlationId""#,
                r#""x":{"y":1,"payload":{},"metadata":{"z":{}}},"correlationId""#,
            ),
            own,
        ),
        (
            compact().replace(own, r#"{"a":[{"b":1,"metadata":{"c":"}"}}]}"#),
            r#"{"a":[{"b":1,"metadata":{"c":"}"}}]}"#,
        ),
        (ARTICLES.replace(own, "7"), "7"),
        (ARTICLES.replace(own, "\"text\""), "\"text\""),
        (ARTICLES.replace(own, "null"), "null"),
    ] {
        let (head, payload) = decode(wire.clone()).unwrap();
        assert_eq!(payload, expected, "{wire}");
        assert_eq!(head.metadata.user_id.as_deref(), Some("u-1"), "{wire}");
    }
}

#[test]
fn refuses_a_payload_without_an_end() {
    for broken in [r#""payload":{"a":1"#, r#""payload":["#, r#""payload":{"a":"#] {
        let start = ARTICLES.find("\"payload\":").unwrap();
        decode(format!("{}{broken}", &ARTICLES[..start])).unwrap_err();
    }
}

#[test]
fn reads_an_envelope_without_metadata() {
    let start = ARTICLES.find("\"payload\":").unwrap();
    for payload in [r#"{"a":1}"#, r#"{"a":1,"metadata":{}}"#, r#"[{"a":1,"metadata":{}}]"#] {
        let (head, read) = decode(format!("{}\"payload\":{payload}}}", &ARTICLES[..start])).unwrap();
        assert_eq!(read, payload);
        assert_eq!(head.metadata, Metadata::default());
    }
}

#[test]
fn refuses_a_time_without_a_zone() {
    let error = decode(ARTICLES.replace("05.678Z", "05.678")).unwrap_err();
    assert!(jitney_core::error_chain(&error).contains("no RFC 3339 time with a zone"), "{error:?}");
}

#[test]
fn headers_carry_type_and_correlation() {
    let (head, payload) = decode(ARTICLES).unwrap();
    let headers = written(&head, &payload).headers;
    let pairs: Vec<_> = headers.iter().map(|header| (&*header.name, &header.value[..])).collect();
    assert_eq!(pairs, [("event-type", &b"OrderCreated"[..]), ("correlation-id", b"c-1")]);
}

proptest! {
    #[test]
    fn every_envelope_is_read_as_it_was_written(head in any_head(), number in any::<i64>(), text in ".{0,40}") {
        let nested = serde_json::json!({ "payload": { "t": text }, "l": ["}", "\\\"{", number] });
        let payload = Bytes::from(serde_json::to_vec(&serde_json::json!({ "n": nested, "t": text })).unwrap());
        let (read, read_payload) = decode(encode(&head, &payload)).unwrap();
        prop_assert_eq!(read, head);
        prop_assert_eq!(read_payload, payload);
    }

    #[test]
    fn members_may_come_in_any_order(order in Just((0..9_usize).collect::<Vec<_>>()).prop_shuffle(), text in ".{0,30}") {
        let payload = serde_json::json!({ "payload": { "t": text }, "metadata": { "x": [text, {}] } }).to_string();
        let members = [
            r#""eventId":"e""#.to_owned(),
            r#""eventType":"T""#.to_owned(),
            r#""aggregateId":"a""#.to_owned(),
            r#""aggregateType":"A""#.to_owned(),
            r#""timestamp":"2026-01-02T03:04:05.678Z""#.to_owned(),
            r#""version":1"#.to_owned(),
            r#""sequence":7"#.to_owned(),
            format!(r#""payload":{payload}"#),
            r#""metadata":{"userId":"u"}"#.to_owned(),
        ];
        let members: Vec<_> = order.iter().map(|index| members[*index].clone()).collect();
        let (head, read) = decode(format!("{{{}}}", members.join(","))).unwrap();
        prop_assert_eq!((head.sequence, head.metadata.user_id.as_deref()), (Some(7), Some("u")));
        prop_assert_eq!(read, payload);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(body);
    }

    #[test]
    fn no_damage_makes_the_reader_panic(place in 0..ARTICLES.len(), byte in any::<u8>(), cut in 0..ARTICLES.len()) {
        let mut damaged = ARTICLES.as_bytes().to_vec();
        damaged[place] = byte;
        damaged.truncate(cut.max(place));
        let _ = decode(damaged);
    }
}
