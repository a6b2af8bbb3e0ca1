//! What is published comes back, in each format, over the bus in memory and over Kafka.

use std::collections::BTreeMap;

use jitney::event::Version;
use jitney::prelude::*;
use jitney::registry::{Format, RegistryCodec, SchemaRegistry, SchemaVersion};
use schemars::JsonSchema;

use super::journey::there_and_back;
use super::scene::{kafka, memory, registry};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent, JsonSchema)]
#[event(aggregate = "RegistryJson", id = order_id, version = "2.1")]
struct OrderTaken {
    order_id: String,
    lines: Vec<Line>,
    notes: BTreeMap<String, Option<i64>>,
    /// An order that this one follows, which is like it.
    before: Option<Box<OrderTaken>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Line {
    sku: String,
    cents: u64,
}

fn taken() -> OrderTaken {
    let notes = BTreeMap::from([("größe".to_owned(), Some(-7)), ("leer".to_owned(), None)]);
    let lines = vec![Line { sku: "a\"b".to_owned(), cents: u64::MAX }];
    let order_id = "42".to_owned();
    let before =
        OrderTaken { order_id: "41".to_owned(), lines: Vec::new(), notes: BTreeMap::new(), before: None };
    OrderTaken { order_id, lines, notes, before: Some(Box::new(before)) }
}

async fn json_codec() -> RegistryCodec {
    RegistryCodec::builder(registry()).json::<OrderTaken>().connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn json_comes_back_over_memory_and_kafka() {
    assert_eq!(there_and_back(memory(json_codec().await), &taken()).await.payload(), &taken());
    assert_eq!(there_and_back(kafka(json_codec().await).await, &taken()).await.payload(), &taken());
}

/// The subject, the name of the record and the schema that is behind the id in the body.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_registered_under_topic_and_record_and_found_by_its_id() {
    let codec = json_codec().await;
    let id = codec.schema_id("OrderTaken", Version::new(2, 1)).unwrap();
    assert_eq!(
        codec.schema_id("OrderTaken", Version::new(2, 0)),
        Some(id),
        "another minor version goes with it"
    );
    assert_eq!(codec.schema_id("OrderTaken", Version::new(1, 0)), None);
    let subject = "RegistryJson-events-OrderTaken.v2";
    let latest = registry().version(subject, SchemaVersion::Latest).await.unwrap().unwrap();
    assert_eq!((latest.id, latest.schema.format), (id, Format::Json));
    assert_eq!(registry().by_id(id).await.unwrap(), latest.schema);
    let first = registry().version(subject, SchemaVersion::Number(latest.version)).await.unwrap();
    assert_eq!(first, Some(latest));
    assert_eq!(registry().version(subject, SchemaVersion::Number(4_711)).await.unwrap(), None);
    let second = json_codec().await;
    assert_eq!(second.schema_id("OrderTaken", Version::new(2, 1)), Some(id), "it is found again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_schema_is_not_published() {
    let bus = memory(RegistryCodec::builder(registry()).connect().await.unwrap());
    let error = bus.publish(&taken()).await.unwrap_err();
    assert_eq!(error.kind(), jitney::ErrorKind::Encode);
    assert!(error.to_string().contains("`OrderTaken 2.1`"), "{error}");
    assert!(error.to_string().contains("was given no schema"), "{error}");
}
