//! The native envelope where `version` is the place in the aggregate's stream.

use bytes::Bytes;
use jitney_core::codec::NativeJson;
use jitney_core::event::Version;
use jitney_core::{Error, Head, Id, error_chain};
use proptest::prelude::*;
use serde_json::Value;

use super::support::{self, ARTICLES, any_head};

fn decode(body: impl Into<Bytes>) -> Result<(Head, Bytes), Error> {
    support::decode(&NativeJson::version_is_sequence(), &support::message(body))
}

fn encode(head: &Head, payload: &Bytes) -> Bytes {
    support::encode(&NativeJson::version_is_sequence(), head, payload).unwrap().body
}

fn written(head: &Head) -> Value {
    serde_json::from_slice(&encode(head, &Bytes::from_static(b"{}"))).unwrap()
}

fn head() -> Head {
    let time = "2026-01-02T03:04:05.678Z".parse().unwrap();
    Head::new(Id::from("e-1"), "OrderPaid", "Order", "42".into(), time, Version::new(1, 0))
}

#[test]
fn reads_the_place_in_the_stream() {
    let (head, payload) = decode(ARTICLES.replace(r#""version":1"#, r#""version":7"#)).unwrap();
    assert_eq!((head.sequence, head.version), (Some(7), Version::new(1, 0)));
    assert_eq!(payload, r#"{"customerId":"c-7","items":[{"sku":"a","quantity":2}]}"#);
    assert_eq!(head.metadata.user_id.as_deref(), Some("u-1"));
}

#[test]
fn writes_what_the_articles_services_wrote() {
    let (head, payload) = decode(ARTICLES.replace(r#""version":1"#, r#""version":7"#)).unwrap();
    let theirs: Value = serde_json::from_str(&ARTICLES.replace(r#""version":1"#, r#""version":7"#)).unwrap();
    let ours: Value = serde_json::from_slice(&encode(&head, &payload)).unwrap();
    assert_eq!(ours, theirs);
}

#[test]
fn an_event_in_no_stream_has_the_place_0() {
    let wire = written(&head());
    assert_eq!(wire["version"], 0);
    let (read, _) = decode(wire.to_string()).unwrap();
    assert_eq!((read.sequence, read.version), (None, Version::new(1, 0)));
}

#[test]
fn a_schema_version_of_ours_survives() {
    for (version, major, minor) in [
        (Version::new(1, 0), Value::Null, Value::Null),
        (Version::new(1, 2), Value::Null, 2.into()),
        (Version::new(3, 0), 3.into(), Value::Null),
        (Version::new(0, 1), 0.into(), 1.into()),
    ] {
        let mut head = head();
        (head.version, head.sequence) = (version, Some(9));
        let wire = written(&head);
        assert_eq!((&wire["version"], &wire["major"], &wire["minor"]), (&9.into(), &major, &minor));
        assert_eq!(decode(wire.to_string()).unwrap().0, head);
    }
}

#[test]
fn a_place_beyond_32_bits_is_read() {
    let (head, _) = decode(ARTICLES.replace(r#""version":1"#, r#""version":18446744073709551615"#)).unwrap();
    assert_eq!(head.sequence, Some(u64::MAX));
}

#[test]
fn a_missing_place_is_named() {
    let without = ARTICLES.replace(r#""version""#, r#""other""#);
    assert!(error_chain(&decode(without).unwrap_err()).contains("missing field `version`"));
}

#[test]
fn a_field_named_sequence_is_foreign_here() {
    let theirs = ARTICLES.replace(r#""version":1"#, r#""version":7,"sequence":"global-99""#);
    let (head, payload) = decode(theirs).unwrap();
    assert_eq!((head.sequence, head.extensions.get("sequence")), (Some(7), Some(r#""global-99""#)));
    assert_eq!(decode(encode(&head, &payload)).unwrap().0, head);
}

#[test]
fn a_foreign_field_does_not_pass_for_one_of_ours_on_the_other_wire() {
    let theirs = ARTICLES.replace(r#""version":1"#, r#""version":7,"sequence":99"#);
    let (head, payload) = decode(theirs).unwrap();
    let forwarded = support::encode(&NativeJson, &head, &payload).unwrap();
    let (read, _) = support::decode(&NativeJson, &forwarded).unwrap();
    assert_eq!((read.sequence, read.version), (Some(7), Version::new(1, 0)));
    assert_eq!(read.metadata.extensions.get("sequence"), Some("99"));

    let theirs = ARTICLES.replace(r#""version":1"#, r#""version":1,"major":"Tom""#);
    let (head, payload) = support::decode(&NativeJson, &support::message(theirs)).unwrap();
    let (read, _) = decode(encode(&head, &payload)).unwrap();
    assert_eq!(read.version, Version::new(1, 0));
    assert_eq!(read.metadata.pairs["major"], "Tom");
}

proptest! {
    #[test]
    fn every_envelope_is_read_as_it_was_written(mut head in any_head(), text in ".{0,40}") {
        head.sequence = head.sequence.filter(|place| *place > 0);
        let payload = Bytes::from(serde_json::json!({ "payload": { "t": text } }).to_string());
        let (read, read_payload) = decode(encode(&head, &payload)).unwrap();
        prop_assert_eq!(read, head);
        prop_assert_eq!(read_payload, payload);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(body);
    }
}
