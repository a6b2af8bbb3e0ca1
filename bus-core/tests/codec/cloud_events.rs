//! CloudEvents: which attribute is what of an envelope, what is taken for granted, and what is refused.

use bytes::Bytes;
use jitney_core::codec::cloud_events::SOURCE_PAIR;
use jitney_core::codec::{CONTENT_TYPE_HEADER, CloudEvents, Codec, Destination, JsonPayload, NativeJson};
use jitney_core::event::Version;
use jitney_core::message::{Header, Message};
use jitney_core::metadata::TraceContext;
use jitney_core::{Error, Head, Id, error_chain};
use serde_json::value::RawValue;

use super::support;

const STRUCTURED: &str = "application/cloudevents+json; charset=UTF-8";

fn read(message: &Message) -> Result<(Head, Bytes), Error> {
    support::decode(&CloudEvents::kafka(), message)
}

fn refused(message: &Message) -> String {
    let error = error_chain(&read(message).unwrap_err());
    assert!(error.starts_with("reading a CloudEvent of "), "{error}");
    error
}

/// A message of `headers`, with some data.
fn binary(headers: &[(&'static str, &'static str)]) -> Message {
    let headers = headers.iter().map(|(name, value)| Header::new(*name, *value)).collect();
    Message { headers, ..support::message(r#"{"sku":"a"}"#) }
}

fn structured(body: impl Into<Bytes>) -> Message {
    let headers = vec![Header::new(CONTENT_TYPE_HEADER, STRUCTURED)];
    Message { headers, ..support::message(body) }
}

/// What another system's event has at least.
const FOREIGN: [(&str, &str); 4] = [
    ("ce_specversion", "1.0"),
    ("ce_id", "A234-1234-1234"),
    ("ce_type", "com.example.order.placed"),
    ("ce_source", "https://example.com/shop/orders"),
];

fn foreign_and(more: &[(&'static str, &'static str)]) -> Message {
    binary(&[&FOREIGN, more].concat())
}

fn full() -> Head {
    let time = "2026-01-02T03:04:05.678Z".parse().unwrap();
    let mut head =
        Head::new(Id::from("e-1"), "OrderPaid", "Order", "order-42".into(), time, Version::new(2, 1));
    head.sequence = Some(7);
    head.metadata.user_id = Some("u-1".into());
    head.metadata.correlation_id = Some("c-1".into());
    head.metadata.causation_id = Some("k-1".into());
    head.metadata.trace = Some(TraceContext { parent: "00-4b-00-01".into(), state: Some("a=b".into()) });
    head.metadata.pairs.insert("tenant".into(), "grün 👋".into());
    head
}

fn written(codec: CloudEvents, head: &Head) -> Vec<(String, String)> {
    let message = support::encode(&codec, head, &Bytes::from_static(b"{}")).unwrap();
    let text = |header: &Header| String::from_utf8(header.value.to_vec()).unwrap();
    message.headers.iter().map(|header| (header.name.to_string(), text(header))).collect()
}

fn value<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|header| header.0 == name).map(|header| &*header.1)
}

#[test]
fn every_part_of_an_envelope_has_its_attribute() {
    let headers = written(CloudEvents::kafka(), &full());
    let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected = [
        ("content-type", "application/json"),
        ("ce_specversion", "1.0"),
        ("ce_id", "e-1"),
        ("ce_type", "OrderPaid"),
        ("ce_source", "/orders/Order"),
        ("ce_subject", "order-42"),
        ("ce_time", "2026-01-02T03:04:05.678Z"),
        ("ce_aggregatetype", "Order"),
        ("ce_dataversion", "2.1"),
        ("ce_aggregatesequence", "7"),
        ("ce_userid", "u-1"),
        ("ce_correlationid", "c-1"),
        ("ce_causationid", "k-1"),
        ("ce_traceparent", "00-4b-00-01"),
        ("ce_tracestate", "a=b"),
        ("ce_tenant", "grün 👋"),
    ];
    assert_eq!(headers, expected);
}

#[test]
fn the_body_is_the_payload_alone() {
    let message = support::encode(&CloudEvents::kafka(), &full(), &Bytes::from_static(b"{\"a\":1}")).unwrap();
    assert_eq!(message.body, "{\"a\":1}");
    assert_eq!(CloudEvents::kafka().content_type(), "application/json");
}

#[test]
fn amqp_has_a_prefix_of_its_own_and_two_are_read() {
    let message = support::encode(&CloudEvents::amqp(), &full(), &Bytes::from_static(b"{}")).unwrap();
    assert!(message.header("cloudEvents_id").is_some() && message.header("ce_id").is_none());
    assert_eq!(message.header_str(CONTENT_TYPE_HEADER), Some("application/json"));
    let (read, _) = support::decode(&CloudEvents::amqp(), &message).unwrap();
    for (name, value) in [("cloudEvents_tenant", "grün 👋"), ("cloudEvents_id", "e-1")] {
        assert_eq!(message.header_str(name), Some(value));
    }
    let mut other = message.clone();
    for header in &mut other.headers {
        header.name = header.name.replace('_', ":").into();
    }
    assert_eq!(support::decode(&CloudEvents::amqp(), &other).unwrap().0, read);
    assert_eq!(CloudEvents::amqp().peek_event_type(&message), Some("OrderPaid"));
    assert_eq!(CloudEvents::amqp().peek_event_type(&other), Some("OrderPaid"));
}

#[test]
fn the_source_is_a_path_whatever_the_names_are() {
    for (service, aggregate, source) in [
        ("orders", "Order", "/orders/Order"),
        ("order service", "Größe/2", "/order%20service/Gr%C3%B6%C3%9Fe%2F2"),
        ("", "Order", "/Order"),
        ("", "", "/"),
    ] {
        let mut head = full();
        head.aggregate_type = aggregate.into();
        let payload = JsonPayload(Bytes::new());
        let to = Destination::new("t", service);
        let encoded = CloudEvents::kafka().encode(to, &head, &payload).unwrap();
        let message = Message { headers: encoded.headers, ..support::message("{}") };
        assert_eq!(message.header_str("ce_source"), Some(source));
        assert_eq!(read(&message).unwrap().0.aggregate_type, aggregate);
    }
}

#[test]
fn an_event_of_another_system_is_read_with_defaults() {
    let mut message = foreign_and(&[]);
    let (head, payload) = read(&message).unwrap();
    assert_eq!(head.event_id, Id::from("A234-1234-1234"));
    assert_eq!((&*head.event_type, &*head.aggregate_type), ("com.example.order.placed", "orders"));
    assert_eq!(head.aggregate_id, "A234-1234-1234");
    assert_eq!((head.time, head.version, head.sequence), (message.time, Version::new(1, 0), None));
    assert_eq!(head.correlation_id(), &head.event_id);
    assert_eq!(head.metadata.pairs[SOURCE_PAIR], "https://example.com/shop/orders");
    assert_eq!(payload, r#"{"sku":"a"}"#);

    message.key = Some(Bytes::from_static(b"key-7"));
    assert_eq!(read(&message).unwrap().0.aggregate_id, "key-7");
    message.key = Some(Bytes::from_static(b"\xff"));
    assert_eq!(read(&message).unwrap().0.aggregate_id, "A234-1234-1234");
    message.headers.push(Header::new("ce_subject", "order-42"));
    assert_eq!(read(&message).unwrap().0.aggregate_id, "order-42");
}

#[test]
fn the_aggregate_type_of_another_system_is_the_last_segment_of_its_source() {
    for (source, aggregate_type) in [
        ("/shop/orders", "orders"),
        ("/shop/orders/", "orders"),
        ("https://example.com/a%20b?x=/y#/z", "a b"),
        ("https://example.com", "example.com"),
        ("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"),
        ("1-555-123-4567", "1-555-123-4567"),
        ("/%ff", "%ff"),
        ("/%4", "%4"),
        ("//", "//"),
        ("?q", "?q"),
    ] {
        let message = foreign_and(&[("ce_source", source)]);
        assert_eq!(read(&message).unwrap().0.aggregate_type, aggregate_type, "{source}");
    }
}

#[test]
fn a_missing_attribute_is_named() {
    for (missing, _) in FOREIGN {
        let rest: Vec<_> = FOREIGN.into_iter().filter(|(name, _)| *name != missing).collect();
        let named = format!("the required attribute `{}` is missing", missing.trim_start_matches("ce_"));
        let error = refused(&binary(&rest));
        assert!(error.contains(&named) && error.contains(missing), "{error}");
        assert!(refused(&binary(&[rest, vec![(missing, "")]].concat())).contains(&named));
        let error = refused(&structured("{}"));
        assert!(error.contains("`specversion` is missing"), "{error}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    for (name, value, error) in [
        ("ce_specversion", "0.3", "CloudEvents 0.3, and only 1.0 is read"),
        ("ce_time", "yesterday", "`time` is no RFC 3339 time"),
        ("ce_time", "2026-01-02T03:04:05", "`time` is no RFC 3339 time"),
        ("ce_dataversion", "v2", "`dataversion` cannot be read: `v2` is no version"),
        ("ce_aggregatesequence", "-1", "`aggregatesequence` is `-1`"),
        ("ce_jitneyenvelope", "{", "`jitneyenvelope` cannot be read"),
        ("content-type", "application/avro", "the data is `application/avro`"),
        ("content-type", "application/cloudevents+avro", "only `application/cloudevents+json` is read"),
        ("content-type", "application/cloudevents-batch+json", "only `application/cloudevents+json` is read"),
    ] {
        let refused = refused(&foreign_and(&[(name, value)]));
        assert!(refused.contains(error), "{refused}");
    }
    let mut message = foreign_and(&[]);
    message.headers.push(Header::new("ce_subject", &b"\xff"[..]));
    assert!(refused(&message).contains("the header `ce_subject` is not UTF-8"));
}

#[test]
fn json_by_any_name_is_read() {
    for content_type in ["", "application/json", "Text/JSON; charset=utf-8", "application/vnd.x+JSON"] {
        read(&foreign_and(&[("content-type", content_type)])).unwrap();
    }
}

#[test]
fn an_event_without_data_has_the_payload_null() {
    let message = Message { body: Bytes::new(), ..foreign_and(&[]) };
    assert_eq!(read(&message).unwrap().1, "null");
    let (_, payload) = read(&structured(
        r#"{"specversion":"1.0","id":"1","type":"t","source":"/s","subject":null,"data_base64":null}"#,
    ))
    .unwrap();
    assert_eq!(payload, "null");
}

#[test]
fn both_modes_give_one_envelope() {
    let in_headers = foreign_and(&[
        ("content-type", "application/json"),
        ("ce_time", "2018-04-05T17:31:00+02:00"),
        ("ce_subject", "order-42"),
        ("ce_comexampleothervalue", "5"),
        ("ce_flag", "true"),
        ("ce_sequence", "0007"),
    ]);
    let in_body = structured(
        r#"{ "specversion" : "1.0", "id" : "A234-1234-1234", "type" : "com.example.order.placed",
            "source" : "https:\/\/example.com/shop/orders", "time" : "2018-04-05T17:31:00+02:00",
            "subject" : "order-42", "unsetextension": null, "comexampleothervalue" : 5, "flag": true,
            "sequence": "0007", "datacontenttype" : "application/json", "data" : {"sku":"a"} }"#,
    );
    let (head, payload) = read(&in_headers).unwrap();
    assert_eq!(read(&in_body).unwrap(), (head.clone(), payload));
    let other_case = vec![Header::new(CONTENT_TYPE_HEADER, "Application/CloudEvents+JSON")];
    assert_eq!(read(&Message { headers: other_case, ..in_body }).unwrap().0, head);
    assert_eq!(head.metadata.pairs["comexampleothervalue"], "5");
    assert_eq!(head.time.to_string(), "2018-04-05T15:31:00Z");
    assert_eq!(head.sequence, None);
}

#[test]
fn structured_data_may_be_any_json_or_base64_of_it() {
    let event = |more: &str| {
        structured(format!(r#"{{"specversion":"1.0","id":"1","type":"t","source":"/s"{more}}}"#))
    };
    for (more, payload) in [
        (r#","data":"text""#, r#""text""#),
        (r#","data":null"#, "null"),
        (r#","data": [1, {"a":"}"}] "#, r#"[1, {"a":"}"}]"#),
        (
            r#","datacontenttype":"application/json","data_base64":"eyAieHl6IjogMTIzIH0=""#,
            r#"{ "xyz": 123 }"#,
        ),
    ] {
        assert_eq!(read(&event(more)).unwrap().1, payload, "{more}");
    }
    for (more, error) in [
        (
            r#","datacontenttype":"application/xml","data":"<much wow=\"xml\"/>""#,
            "the data is `application/xml`",
        ),
        (r#","data_base64":"eyAieHl6IjogMTIzIH0=""#, "of an unknown type"),
        (r#","datacontenttype":"application/json","data_base64":"?""#, "`data_base64` is no base64"),
        (r#","datacontenttype":"application/json","data_base64":7"#, "`data_base64` is no base64"),
        (r#","data":1,"data_base64":"AAAA""#, "both `data` and `data_base64`"),
        (r#","tenant":{"id":7}"#, "the attribute `tenant` is no text"),
        (r#","tenant":"\ud800""#, "the attribute `tenant` is no text"),
        (r#","data":"#, "the body is no JSON object"),
    ] {
        let refused = refused(&event(more));
        assert!(refused.contains(error), "{refused}");
    }
}

#[test]
fn an_event_that_is_published_again_keeps_what_its_system_said() {
    let theirs = foreign_and(&[
        ("ce_subject", "order-42"),
        ("ce_dataschema", "https://example.com/schemas/order"),
        ("ce_sequence", "0007"),
        ("ce_tenant", "a"),
    ]);
    let (head, payload) = read(&theirs).unwrap();
    let ours = support::encode(&CloudEvents::kafka(), &head, &payload).unwrap();
    for header in &theirs.headers {
        assert_eq!(ours.header(&header.name), Some(&header.value), "{}", header.name);
    }
    assert_eq!(ours.header("ce_jitneyenvelope"), None);
    assert_eq!(read(&ours).unwrap(), (head, payload));
}

#[test]
fn the_attributes_of_another_system_pass_through_the_native_format() {
    let theirs = foreign_and(&[("ce_version", "9"), ("ce_sequence", "0007"), ("ce_payload", "p")]);
    let (head, payload) = read(&theirs).unwrap();
    let native = support::encode(&NativeJson, &head, &payload).unwrap();
    assert_eq!(support::decode(&NativeJson, &native).unwrap(), (head, payload));
}

#[test]
fn what_no_attribute_can_hold_is_in_the_one_of_json() {
    let mut head = full();
    head.aggregate_id = "a\nb".into();
    head.metadata.user_id = Some(String::new());
    head.metadata.pairs.insert("jitney-alternates".into(), "1,2".into());
    head.metadata.pairs.insert("source".into(), "web".into());
    head.metadata.pairs.insert("dataschema".into(), "no uri".into());
    head.metadata.pairs.insert("control".into(), "\u{7f}\u{85}\u{fdd0}\u{1ffff}".into());
    head.metadata.pairs.insert(SOURCE_PAIR.into(), "no uri reference".into());
    let number = RawValue::from_string("{\n\t\"id\": 7,\"\u{7f}\":\"\u{10ffff}\"}".into()).unwrap();
    head.metadata.extensions.insert("retries".into(), RawValue::from_string("3".into()).unwrap());
    head.extensions.insert("tenant".into(), number);
    let headers = written(CloudEvents::kafka(), &head);
    for missing in ["ce_subject", "ce_userid", "ce_jitney-alternates", "ce_dataschema", "ce_control"] {
        assert_eq!(value(&headers, missing), None, "{missing}");
    }
    assert_eq!(value(&headers, "ce_source"), Some("/orders/Order"));
    let rest = value(&headers, "ce_jitneyenvelope").unwrap();
    assert!(rest.chars().all(|letter| matches!(letter, ' '..='~')), "{rest}");
    let message = support::encode(&CloudEvents::kafka(), &head, &Bytes::from_static(b"{}")).unwrap();
    let (read, _) = read(&message).unwrap();
    let tenant: serde_json::Value = serde_json::from_str(read.extensions.get("tenant").unwrap()).unwrap();
    assert_eq!(tenant, serde_json::json!({ "id": 7, "\u{7f}": "\u{10ffff}" }));
    head.extensions = read.extensions.clone();
    assert_eq!(read, head);
}

#[test]
fn an_event_without_an_id_or_a_type_is_not_written() {
    for (id, event_type, named) in [("", "T", "`id`"), ("a\tb", "T", "`id`"), ("e", "", "`type`")] {
        let mut head = full();
        (head.event_id, head.event_type) = (Id::from(id), event_type.into());
        let error = support::encode(&CloudEvents::kafka(), &head, &Bytes::new()).unwrap_err();
        let error = error_chain(&error);
        assert!(error.starts_with("encoding `") && error.contains(named), "{error}");
    }
}

#[test]
fn the_event_type_is_seen_without_reading_the_body() {
    let peek = |message: &Message| CloudEvents::kafka().peek_event_type(message).map(str::to_owned);
    assert_eq!(peek(&foreign_and(&[])).as_deref(), Some("com.example.order.placed"));
    assert_eq!(peek(&foreign_and(&[("ce_type", "Later")])).as_deref(), Some("Later"));
    assert_eq!(read(&foreign_and(&[("ce_type", "Later")])).unwrap().0.event_type, "Later");
    assert_eq!(peek(&structured(r#"{"type":"t"}"#)), None);
    assert_eq!(peek(&binary(&[("event-type", "T"), ("ce_type", "")])), None);
}
