//! The CloudEvents project's own Rust SDK reads what we write, and we read what it writes.

use std::collections::BTreeMap;

use bytes::Bytes;
use cloudevents::event::SpecVersion;
use cloudevents::message::{
    BinaryDeserializer, BinarySerializer, MessageAttributeValue, StructuredDeserializer,
};
use cloudevents::message::{Result as SdkResult, StructuredSerializer};
use cloudevents::{AttributesReader, Data, Event, EventBuilder, EventBuilderV10};
use jitney_core::codec::cloud_events::SOURCE_PAIR;
use jitney_core::codec::{CONTENT_TYPE_HEADER, CloudEvents};
use jitney_core::event::Version;
use jitney_core::message::{Header, Message};
use jitney_core::metadata::TraceContext;
use jitney_core::{Head, Id};

use super::support;

/// A message by the Kafka binding, for the SDK to read from and write to.
struct Record(Message);

impl Record {
    fn empty() -> Self {
        Record(support::message(Bytes::new()))
    }

    fn with(mut self, name: String, value: impl Into<Bytes>) -> Self {
        self.0.headers.push(Header::new(name, value));
        self
    }
}

impl BinarySerializer<Message> for Record {
    fn set_spec_version(self, version: SpecVersion) -> SdkResult<Self> {
        Ok(self.with("ce_specversion".to_owned(), version.to_string()))
    }

    fn set_attribute(self, name: &str, value: MessageAttributeValue) -> SdkResult<Self> {
        let header =
            if name == "datacontenttype" { CONTENT_TYPE_HEADER.to_owned() } else { format!("ce_{name}") };
        Ok(self.with(header, value.to_string()))
    }

    fn set_extension(self, name: &str, value: MessageAttributeValue) -> SdkResult<Self> {
        Ok(self.with(format!("ce_{name}"), value.to_string()))
    }

    fn end_with_data(self, data: Vec<u8>) -> SdkResult<Message> {
        Ok(Message { body: data.into(), ..self.0 })
    }

    fn end(self) -> SdkResult<Message> {
        Ok(self.0)
    }
}

impl StructuredSerializer<Message> for Record {
    fn set_structured_event(self, body: Vec<u8>) -> SdkResult<Message> {
        let message = self.with(CONTENT_TYPE_HEADER.to_owned(), "application/cloudevents+json").0;
        Ok(Message { body: body.into(), ..message })
    }
}

impl BinaryDeserializer for Record {
    fn deserialize_binary<R: Sized, V: BinarySerializer<R>>(self, visitor: V) -> SdkResult<R> {
        let attributes = SpecVersion::V10.attribute_names();
        let mut visitor =
            visitor.set_spec_version(self.0.header_str("ce_specversion").unwrap().try_into()?)?;
        for header in self.0.headers.iter().filter(|header| header.name != "ce_specversion") {
            let value = MessageAttributeValue::String(String::from_utf8(header.value.to_vec()).unwrap());
            visitor = match header.name.strip_prefix("ce_") {
                Some(name) if attributes.contains(&name) => visitor.set_attribute(name, value)?,
                Some(name) => visitor.set_extension(name, value)?,
                None => visitor.set_attribute("datacontenttype", value)?,
            };
        }
        visitor.end_with_data(self.0.body.to_vec())
    }
}

fn head() -> Head {
    let time = "2026-01-02T03:04:05.678Z".parse().unwrap();
    let id = Id::from("018f2c5e-7b1a-7c3d-8e4f-5a6b7c8d9e0f");
    let mut head = Head::new(id, "OrderPaid", "Order", "order-42".into(), time, Version::new(2, 1));
    head.sequence = Some(7);
    head.metadata.user_id = Some("u-1".into());
    head.metadata.correlation_id = Some("c-1".into());
    head.metadata.causation_id = Some("k-1".into());
    head.metadata.trace = Some(TraceContext { parent: "00-4b-00-01".into(), state: Some("a=b".into()) });
    head.metadata.pairs.insert("tenant".into(), "grün 👋".into());
    head.metadata.pairs.insert("dataschema".into(), "https://example.com/schemas/paid".into());
    head.metadata.pairs.insert("jitney-alternates".into(), "1,2".into());
    head
}

fn extensions(event: &Event) -> BTreeMap<String, String> {
    event.iter_extensions().map(|(name, value)| (name.to_owned(), value.to_string())).collect()
}

#[test]
fn the_sdk_reads_what_we_write() {
    let payload = Bytes::from_static(br#"{"cents":999}"#);
    let message = support::encode(&CloudEvents::kafka(), &head(), &payload).unwrap();
    let event = BinaryDeserializer::into_event(Record(message)).unwrap();
    assert_eq!(event.specversion(), SpecVersion::V10);
    assert_eq!((event.id(), event.ty()), ("018f2c5e-7b1a-7c3d-8e4f-5a6b7c8d9e0f", "OrderPaid"));
    assert_eq!((&**event.source(), event.subject()), ("/orders/Order", Some("order-42")));
    assert_eq!(event.time().unwrap().to_rfc3339(), "2026-01-02T03:04:05.678+00:00");
    assert_eq!(event.datacontenttype(), Some("application/json"));
    assert_eq!(event.dataschema().unwrap().as_str(), "https://example.com/schemas/paid");
    let expected = [
        ("aggregatetype", "Order"),
        ("dataversion", "2.1"),
        ("aggregatesequence", "7"),
        ("userid", "u-1"),
        ("correlationid", "c-1"),
        ("causationid", "k-1"),
        ("traceparent", "00-4b-00-01"),
        ("tracestate", "a=b"),
        ("tenant", "grün 👋"),
        ("jitneyenvelope", r#"{"pairs":{"jitney-alternates":"1,2"}}"#),
    ];
    assert_eq!(extensions(&event), expected.map(|(name, value)| (name.into(), value.into())).into());
    assert_eq!(event.data(), Some(&Data::Binary(payload.to_vec())));
}

#[test]
fn what_the_sdk_passes_on_in_either_mode_is_what_we_wrote() {
    let payload = Bytes::from_static(br#"{"cents":999}"#);
    let message = support::encode(&CloudEvents::kafka(), &head(), &payload).unwrap();
    let written = support::decode(&CloudEvents::kafka(), &message).unwrap();
    let event = BinaryDeserializer::into_event(Record(message)).unwrap();
    let binary = event.clone().deserialize_binary(Record::empty()).unwrap();
    assert_eq!(support::decode(&CloudEvents::kafka(), &binary).unwrap(), written);
    // Its binary reader leaves the data as bytes, so that structured mode has them in base64.
    let structured = event.deserialize_structured(Record::empty()).unwrap();
    assert!(String::from_utf8_lossy(&structured.body).contains("data_base64"));
    assert_eq!(support::decode(&CloudEvents::kafka(), &structured).unwrap(), written);
}

#[test]
fn we_read_what_the_sdk_writes() {
    let event = EventBuilderV10::new()
        .id("A234")
        .ty("com.example.order.placed")
        .source("https://example.com/shop/orders")
        .subject("order-42")
        .time("2018-04-05T17:31:00+02:00")
        .extension("priority", 5)
        .extension("urgent", true)
        .extension("region", "eu")
        .data_with_schema("application/json", "https://example.com/schema", serde_json::json!({ "sku": "a" }))
        .build()
        .unwrap();
    let binary = event.clone().deserialize_binary(Record::empty()).unwrap();
    let structured = event.deserialize_structured(Record::empty()).unwrap();
    for message in [binary, structured] {
        let (head, payload) = support::decode(&CloudEvents::kafka(), &message).unwrap();
        assert_eq!((head.event_id, &*head.event_type), (Id::from("A234"), "com.example.order.placed"));
        assert_eq!((&*head.aggregate_type, &*head.aggregate_id), ("orders", "order-42"));
        assert_eq!(head.time.to_string(), "2018-04-05T15:31:00Z");
        assert_eq!((head.version, head.sequence), (Version::new(1, 0), None));
        let pairs = [
            ("priority", "5"),
            ("urgent", "true"),
            ("region", "eu"),
            ("dataschema", "https://example.com/schema"),
            (SOURCE_PAIR, "https://example.com/shop/orders"),
        ];
        assert_eq!(head.metadata.pairs, pairs.map(|(name, value)| (name.into(), value.into())).into());
        assert_eq!(payload, r#"{"sku":"a"}"#);
    }
}

#[test]
fn we_read_the_least_that_the_sdk_writes() {
    let event = EventBuilderV10::new().id("1").ty("t").source("/s").build().unwrap();
    let message = event.deserialize_binary(Record::empty()).unwrap();
    let (head, payload) = support::decode(&CloudEvents::kafka(), &message).unwrap();
    assert_eq!((&*head.aggregate_type, &*head.aggregate_id, &payload[..]), ("s", "1", &b"null"[..]));
}
