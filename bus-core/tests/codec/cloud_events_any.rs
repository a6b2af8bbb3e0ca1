//! CloudEvents of any envelope and any bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use jitney_core::codec::cloud_events::SOURCE_PAIR;
use jitney_core::codec::{CloudEvents, Codec};
use jitney_core::message::{Header, Message};
use jitney_core::{Head, Id};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::support::{self, any_head};

/// Any envelope that has an id and a type, with pairs and foreign fields of any name.
fn any_envelope() -> impl Strategy<Value = Head> {
    let pairs = btree_map(
        "[a-z0-9]{1,3}|source|type|data|dataschema|cloudevents-source|.{0,8}",
        any::<String>(),
        0..4,
    );
    let fields = || btree_map(".{0,6}", any::<String>(), 0..3);
    let names = ("[^\\p{C}]{1,30}", "[^\\p{C}]{1,30}");
    (any_head(), names, pairs, fields(), fields()).prop_map(|(mut head, names, pairs, inner, outer)| {
        head.event_id = Id::from(&*names.0);
        head.event_type = names.1.into();
        head.metadata.pairs.extend(pairs);
        for (name, text) in inner {
            head.metadata.extensions.insert(name, json(&text));
        }
        for (name, text) in outer {
            head.extensions.insert(name, json(&text));
        }
        head
    })
}

/// A field in the form in which it comes out again: without letters that an attribute cannot have.
fn json(text: &str) -> Box<RawValue> {
    let text: String = text.chars().filter(|letter| letter.is_ascii_graphic()).collect();
    serde_json::value::to_raw_value(&BTreeMap::from([("text", text)])).unwrap()
}

/// The names that mean something, and others.
fn any_header() -> impl Strategy<Value = Header> {
    let attributes = "(ce_|cloudEvents_|cloudEvents:)(specversion|id|type|source|subject|time|aggregatetype|dataversion\
        |aggregatesequence|userid|correlationid|traceparent|tracestate|jitneyenvelope|dataschema|x)";
    let name = prop_oneof![9 => attributes, 1 => ".{0,10}", 3 => Just("content-type".to_owned())];
    let value = prop_oneof![
        4 => Just("1.0".to_owned().into_bytes()),
        1 => vec(any::<u8>(), 0..20),
        1 => "[{\"a-z:}/%0-9]{0,20}".prop_map(String::into_bytes),
        1 => Just(b"application/cloudevents+json".to_vec()),
        1 => Just(b"application/json".to_vec()),
    ];
    (name, value).prop_map(|(name, value)| Header::new(name, value))
}

const STRUCTURED: &str = r#"{"specversion":"1.0","id":"1","type":"t","source":"/s","time":"2026-01-02T03:04:05Z",
    "dataversion":"2.1","datacontenttype":"application/json","x":true,"data_base64":"eyAieHl6IjogMTIzIH0="}"#;

proptest! {
    #[test]
    fn every_envelope_is_read_as_it_was_written(mut head in any_envelope(), text in ".{0,40}", amqp in any::<bool>()) {
        let codec = if amqp { CloudEvents::amqp() } else { CloudEvents::kafka() };
        let payload = Bytes::from(serde_json::json!({ "text": text }).to_string());
        let message = support::encode(&codec, &head, &payload).unwrap();
        for header in message.headers.iter().filter(|header| header.name != "content-type") {
            let name = header.name.strip_prefix(if amqp { "cloudEvents_" } else { "ce_" });
            let lawful = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            prop_assert!(name.is_some_and(|name| !name.is_empty() && name.bytes().all(lawful)), "{header:?}");
            let value = std::str::from_utf8(&header.value).unwrap();
            prop_assert!(!value.is_empty() && !value.contains(char::is_control), "{header:?}");
        }
        let (read, read_payload) = support::decode(&codec, &message).unwrap();
        let source = read.metadata.pairs[SOURCE_PAIR].clone();
        head.metadata.pairs.entry(SOURCE_PAIR.to_owned()).or_insert(source);
        prop_assert_eq!(read, head);
        prop_assert_eq!(read_payload, payload);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        headers in vec(any_header(), 0..20),
        key in of(vec(any::<u8>(), 0..4)),
        body in vec(any::<u8>(), 0..100),
    ) {
        let message = Message { headers, key: key.map(Bytes::from), ..support::message(body) };
        for codec in [CloudEvents::kafka(), CloudEvents::amqp()] {
            let _ = support::decode(&codec, &message);
            let _ = codec.peek_event_type(&message);
        }
    }

    #[test]
    fn what_others_wrote_is_written_and_read_again(headers in vec(any_header(), 0..12), body in "[^\\p{C}]{0,9}") {
        let least = [("ce_specversion", "1.0"), ("ce_id", "1"), ("ce_type", "t"), ("ce_source", "/s")];
        let least = least.into_iter().map(|(name, value)| Header::new(name, value));
        let theirs = Message { headers: least.chain(headers).collect(), ..support::message(body) };
        let codec = CloudEvents::kafka();
        if let Ok((mut head, payload)) = support::decode(&codec, &theirs)
            // Control characters in an id or a type are read, and refused when they are to be written.
            && let Ok(ours) = support::encode(&codec, &head, &payload)
        {
            let (read, read_payload) = support::decode(&codec, &ours).unwrap();
            prop_assert_eq!(read_payload, payload);
            // Written in milliseconds.
            head.time = read.time;
            prop_assert_eq!(read, head);
        }
    }

    #[test]
    fn no_damage_makes_the_reader_of_structured_mode_panic(
        place in 0..STRUCTURED.len(),
        byte in any::<u8>(),
        cut in 0..STRUCTURED.len(),
    ) {
        let mut damaged = STRUCTURED.as_bytes().to_vec();
        damaged[place] = byte;
        damaged.truncate(cut.max(place));
        let headers = vec![Header::new("content-type", "application/cloudevents+json")];
        let _ = support::decode(&CloudEvents::kafka(), &Message { headers, ..support::message(damaged) });
    }
}
