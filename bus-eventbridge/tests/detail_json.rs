//! The wire format: what we write we read, what others write we read too, and no bytes make it panic.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use jitney_core::codec::{Codec, Decoded, Destination, JsonPayload, PayloadBytes};
use jitney_core::event::{EventType, Version};
use jitney_core::message::{Header, Message};
use jitney_core::metadata::TraceContext;
use jitney_core::transport::Interest;
use jitney_core::{Head, Id};
use jitney_eventbridge::DetailJson;
use jitney_eventbridge::inbound::{Arrival, message};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

fn head() -> Head {
    let time = Timestamp::from_millisecond(1_767_323_045_678).unwrap();
    Head::new("e-1".into(), "OrderCreated", "Order", "42".to_owned(), time, Version::new(1, 0))
}

/// Everything that an envelope may carry, names that the format itself uses among it.
fn full_head() -> Head {
    let mut head = head();
    head.version = Version::new(2, 1);
    head.sequence = Some(7);
    let metadata = &mut head.metadata;
    metadata.user_id = Some("u-1".to_owned());
    metadata.correlation_id = Some("c-1".into());
    metadata.causation_id = Some("e-0".into());
    let state = Some("vendor=1".to_owned());
    metadata.trace = Some(TraceContext { parent: "00-aa-bb-01".to_owned(), state });
    for name in ["tenant", "version", "jitney", "envelope", "\"quoted\""] {
        metadata.pairs.insert(name.to_owned(), format!("the pair {name}"));
    }
    let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
    metadata.extensions.insert("roles".to_owned(), raw("[1, 2]"));
    metadata.extensions.insert("sequence".to_owned(), raw("{\"of\":1}"));
    head.extensions.insert("shard".to_owned(), raw("9"));
    head.extensions.insert("eventId".to_owned(), raw("\"another\""));
    head
}

fn detail(head: &Head, payload: &str) -> String {
    let payload = JsonPayload(payload.as_bytes().to_vec().into());
    let encoded = DetailJson.encode(Destination::new("Order-events", "shop"), head, &payload).unwrap();
    String::from_utf8(encoded.body.to_vec()).unwrap()
}

fn envelope(source: &str, detail_type: &str, detail: &Value) -> String {
    json!({
        "version": "0", "id": "7bf73129", "detail-type": detail_type, "source": source, "account": "111122223333",
        "time": "2026-01-02T03:04:05Z", "region": "eu-west-1", "resources": ["arn:aws:s3:::photos"], "detail": detail,
    })
    .to_string()
}

fn arrived(body: &str) -> Message {
    message(body.as_bytes().to_vec().into(), Arrival::default(), &[])
}

fn decode(message: &Message) -> (Head, Value) {
    let Decoded { head, payload } = DetailJson.decode(message, None).unwrap();
    let bytes = match &payload {
        PayloadBytes::InBody(range) => &message.body[range.clone()],
        PayloadBytes::Own(bytes) => bytes,
    };
    ((*head).clone(), serde_json::from_slice(bytes).unwrap())
}

#[test]
fn fields_stand_beside_the_metadata() {
    let text = detail(&head(), r#"{"orderId":"42","total":12}"#);
    assert_eq!(
        text,
        r#"{"orderId":"42","total":12,"metadata":{"eventId":"e-1","eventType":"OrderCreated","aggregateId":"42","aggregateType":"Order","timestamp":"2026-01-02T03:04:05.678Z","version":1}}"#
    );
}

#[test]
fn whatever_an_envelope_carries_comes_back() {
    for payload in [
        r#"{"orderId":"42","items":[{"a":1}]}"#,
        "{}",
        r#" { "spaced" : 1 } "#,
        r#"{"metadata":{"eventId":"of the payload"}}"#,
        r#"{"payload":1}"#,
        r#"{"detail":{},"source":"s","detail-type":"t","id":"i"}"#,
        "[1,2]",
        "null",
        "7",
        "\"text\"",
    ] {
        for head in [head(), full_head()] {
            let text = detail(&head, payload);
            let wanted: Value = serde_json::from_str(payload).unwrap();
            let bare = arrived(&text);
            assert_eq!(decode(&bare), (head.clone(), wanted.clone()), "{text}");
            let whole = envelope("shop.Order", "OrderCreated", &serde_json::from_str(&text).unwrap());
            let whole = arrived(&whole);
            let (read, payload) = decode(&whole);
            assert_eq!(payload, wanted, "{text}");
            // EventBridge writes JSON anew; what was kept letter by letter is compared as JSON.
            assert_eq!(
                (read.event_id, read.metadata.pairs),
                (head.event_id.clone(), head.metadata.pairs.clone())
            );
            assert_eq!(&*whole.topic, "Order-events");
            assert_eq!(whole.key.as_deref(), Some(&b"42"[..]));
            assert_eq!(whole.time, head.time);
        }
    }
}

#[test]
fn the_articles_events_need_no_more_than_three_fields_of_metadata() {
    let detail = json!({
        "orderId": "42",
        "metadata": { "userId": "u-1", "correlationId": "c-1", "causationId": "e-0", "version": "not ours" },
    });
    let message = arrived(&envelope("shop.Order", "OrderCreated", &detail));
    let (head, payload) = decode(&message);
    assert_eq!(payload, json!({ "orderId": "42" }));
    assert_eq!((head.event_id, &*head.event_type), (Id::from("7bf73129"), "OrderCreated"));
    assert_eq!((&*head.aggregate_type, head.version), ("Order", Version::new(1, 0)));
    assert_eq!(head.time, "2026-01-02T03:04:05Z".parse().unwrap());
    assert_eq!(head.metadata.user_id.as_deref(), Some("u-1"));
    assert_eq!(head.metadata.correlation_id, Some("c-1".into()));
    assert_eq!(head.metadata.extensions.get("version"), Some("\"not ours\""));
    assert_eq!(message.header_str("correlation-id"), Some("c-1"));
}

#[test]
fn events_of_aws_services_are_their_whole_detail() {
    let detail = json!({ "bucket": { "name": "photos" }, "metadata": { "is": "the payload's" } });
    let message = arrived(&envelope("aws.s3", "Object Created", &detail));
    assert_eq!(&*message.topic, "aws.s3-events");
    let (head, payload) = decode(&message);
    assert_eq!(payload, detail);
    assert_eq!((&*head.event_type, &*head.aggregate_type), ("Object Created", "aws.s3"));
    assert_eq!((head.aggregate_id.as_str(), head.event_id), ("arn:aws:s3:::photos", "7bf73129".into()));
    assert!(
        matches!(DetailJson.decode(&message, None).unwrap().payload, PayloadBytes::InBody(_)),
        "not copied"
    );
}

#[test]
fn a_source_that_somebody_names_is_foreign_whatever_it_sends() {
    static BILLED: EventType =
        EventType::new("Billed", "acme.billing", Version::new(1, 0), "bills").with_source("acme.billing");
    let detail = json!({ "metadata": { "eventId": "the payload's" } });
    let body = envelope("acme.billing", "Billed", &detail);
    let mut interest = Interest::all("bills");
    interest.source = Some("acme.billing".to_owned());
    let message = message(body.into_bytes().into(), Arrival::default(), &[interest]);
    assert_eq!(&*message.topic, "bills");
    let decoded = DetailJson.decode(&message, Some(&BILLED)).unwrap();
    assert_eq!(decoded.head.aggregate_type, "acme.billing");
    let PayloadBytes::InBody(range) = decoded.payload else { panic!("the payload is the detail as it came") };
    assert_eq!(serde_json::from_slice::<Value>(&message.body[range]).unwrap(), detail);
}

#[test]
fn a_bare_detail_without_metadata_is_named_by_what_came_beside_it() {
    let arrival = Arrival {
        message_id: Some("m-1".to_owned()),
        headers: vec![Header::new("event-type", "OrderCreated")],
        ..Arrival::default()
    };
    let bare = message((&b"{\"orderId\":\"42\"}"[..]).into(), arrival, &[]);
    let (head, payload) = decode(&bare);
    assert_eq!((head.event_id, &*head.event_type), ("m-1".into(), "OrderCreated"));
    assert_eq!(payload, json!({ "orderId": "42" }));
}

#[test]
fn what_cannot_be_read_says_why() {
    for (body, says) in [
        ("", "neither EventBridge's envelope nor a detail"),
        ("[1]", "neither EventBridge's envelope nor a detail"),
        ("{}", "nothing says its type"),
        (r#"{"metadata":{"eventId":"e","eventType":"T","version":"two"}}"#, "`version` in `metadata`"),
        (r#"{"metadata":{"eventId":"e","eventType":"T","timestamp":"today"}}"#, "RFC 3339"),
        (r#"{"metadata":{"eventType":"T"}}"#, "nothing says its id"),
    ] {
        let error = DetailJson.decode(&arrived(body), None).unwrap_err();
        let text = jitney_core::error_chain(&error);
        assert!(text.starts_with("reading an event of") && text.contains(says), "{body}: {text}");
    }
}

#[test]
fn a_body_that_is_no_event_keeps_its_bytes_and_gets_the_groups_topic() {
    let broken = message((&b"\xff\xfe"[..]).into(), Arrival::default(), &[Interest::all("Order-events")]);
    assert_eq!((&*broken.topic, &broken.body[..]), ("Order-events", &b"\xff\xfe"[..]));
}

/// JSON that looks like ours, more or less.
fn likely_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("metadata".to_owned()),
        Just("payload".to_owned()),
        Just("detail".to_owned()),
        Just("source".to_owned()),
        Just("detail-type".to_owned()),
        Just("eventId".to_owned()),
        Just("jitney".to_owned()),
        Just("envelope".to_owned()),
        Just("timestamp".to_owned()),
        Just("headers".to_owned()),
        "[a-z\"\\\\é]{0,4}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z\"\\\\\u{0}é]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..60)) {
        let message = message(body.clone().into(), Arrival::default(), &[]);
        prop_assert_eq!(&message.body[..], &body[..]);
        let _ = DetailJson.decode(&message, None);
    }

    #[test]
    fn no_json_makes_it_panic(body in likely_json(), around in any::<bool>()) {
        let body = if around { envelope("a.B", "T", &body) } else { body.to_string() };
        let message = arrived(&body);
        if let Ok(decoded) = DetailJson.decode(&message, None) {
            let payload = match &decoded.payload {
                PayloadBytes::InBody(range) => &message.body[range.clone()],
                PayloadBytes::Own(bytes) => bytes,
            };
            prop_assert!(serde_json::from_slice::<Value>(payload).is_ok());
        }
    }

    #[test]
    fn any_payload_comes_back(payload in likely_json()) {
        let text = detail(&full_head(), &payload.to_string());
        let (head, read) = decode(&arrived(&text));
        prop_assert_eq!(read, payload);
        prop_assert_eq!(head, full_head());
    }
}
