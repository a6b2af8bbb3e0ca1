//! What is published comes back, in each format, over the bus in memory and over Kafka.

use std::collections::BTreeMap;

use jitney::event::Version;
use jitney::prelude::*;
use jitney::registry::apache_avro::{self, AvroSchema};
use jitney::registry::{Format, RegistryCodec, Schema, SchemaRegistry, SchemaVersion, SubjectNaming};
use schemars::JsonSchema;

use super::journey::there_and_back;
use super::scene::{kafka, memory, registry};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent, JsonSchema)]
#[event(aggregate = "RegistryJson", id = order_id, version = "2.1")]
pub(crate) struct OrderTaken {
    pub(crate) order_id: String,
    lines: Vec<Line>,
    notes: BTreeMap<String, Option<i64>>,
    /// An order that this one follows, which is like it.
    before: Option<Box<OrderTaken>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Line {
    sku: String,
    cents: u64,
}

pub(crate) fn taken(order_id: &str) -> OrderTaken {
    let notes = BTreeMap::from([("größe".to_owned(), Some(-7)), ("leer".to_owned(), None)]);
    let lines = vec![Line { sku: "a\"b".to_owned(), cents: u64::MAX }];
    let order_id = order_id.to_owned();
    let before =
        OrderTaken { order_id: "41".to_owned(), lines: Vec::new(), notes: BTreeMap::new(), before: None };
    OrderTaken { order_id, lines, notes, before: Some(Box::new(before)) }
}

pub(crate) async fn json_codec() -> RegistryCodec {
    RegistryCodec::builder(registry()).json::<OrderTaken>().connect().await.unwrap()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "RegistryAvro", id = order_id)]
pub(crate) struct OrderPaid {
    pub(crate) order_id: String,
    cents: i64,
    how: How,
    receipts: Vec<Receipt>,
    note: Option<String>,
    rate: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum How {
    Card,
    Cash,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    number: u32,
    copy_of: Option<Box<Receipt>>,
}

/// What `OrderPaid` is in Avro, as it is kept in a file.
const PAID: &str = include_str!("order_paid.avsc");

/// As the derive of `apache_avro` has it.
impl AvroSchema for OrderPaid {
    fn get_schema() -> apache_avro::Schema {
        apache_avro::Schema::parse_str(PAID).unwrap()
    }
}

pub(crate) fn paid(order_id: &str) -> OrderPaid {
    let first = Receipt { number: 1, copy_of: None };
    let receipts = vec![Receipt { number: u32::MAX, copy_of: Some(Box::new(first)) }];
    let order_id = order_id.to_owned();
    OrderPaid {
        order_id,
        cents: i64::MIN,
        how: How::Cash,
        receipts,
        note: None,
        rate: 1.604_116_526_606_514e76,
    }
}

pub(crate) async fn avro_codec() -> RegistryCodec {
    RegistryCodec::builder(registry()).avro::<OrderPaid>().connect().await.unwrap()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "RegistryProtobuf", id = order_id)]
pub(crate) struct OrderSent {
    pub(crate) order_id: String,
    total_cents: i64,
    parcels: Vec<Parcel>,
    before: Option<Box<OrderSent>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parcel {
    grams: u32,
    tags: BTreeMap<String, String>,
}

pub(crate) fn sent(order_id: &str) -> OrderSent {
    let parcels = vec![Parcel { grams: 0, tags: BTreeMap::from([("größe".to_owned(), "XL".to_owned())]) }];
    let before = OrderSent { order_id: "41".to_owned(), total_cents: 0, parcels: Vec::new(), before: None };
    OrderSent {
        order_id: order_id.to_owned(),
        total_cents: i64::MAX,
        parcels,
        before: Some(Box::new(before)),
    }
}

pub(crate) async fn protobuf_codec() -> RegistryCodec {
    let file = include_str!("order_sent.proto");
    let builder = RegistryCodec::builder(registry()).protobuf::<OrderSent>(file, "registry_tests.OrderSent");
    builder.connect().await.unwrap()
}

/// By the file over memory, and by the type over Kafka.
#[tokio::test(flavor = "multi_thread")]
async fn avro_comes_back_over_memory_and_kafka() {
    let builder = RegistryCodec::builder(registry()).subjects(SubjectNaming::RecordName);
    let by_file =
        builder.schema(&OrderPaid::TYPES[0], Schema::new(Format::Avro, PAID)).connect().await.unwrap();
    assert_eq!(there_and_back(memory(by_file), &paid("größe/42")).await.payload(), &paid("größe/42"));
    assert_eq!(
        there_and_back(kafka(avro_codec().await).await, &paid("größe/42")).await.payload(),
        &paid("größe/42")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_comes_back_over_memory_and_kafka() {
    assert_eq!(
        there_and_back(memory(protobuf_codec().await), &sent("größe/42")).await.payload(),
        &sent("größe/42")
    );
    assert_eq!(
        there_and_back(kafka(protobuf_codec().await).await, &sent("größe/42")).await.payload(),
        &sent("größe/42")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn json_comes_back_over_memory_and_kafka() {
    assert_eq!(
        there_and_back(memory(json_codec().await), &taken("größe/42")).await.payload(),
        &taken("größe/42")
    );
    assert_eq!(
        there_and_back(kafka(json_codec().await).await, &taken("größe/42")).await.payload(),
        &taken("größe/42")
    );
}

/// The subject, the name of the record and the schema that is behind the id in the body.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_registered_under_topic_and_record_and_found_by_its_id() {
    let codec = json_codec().await;
    let id = codec.schema_id("RegistryJson", "OrderTaken", Version::new(2, 1)).unwrap();
    assert_eq!(
        codec.schema_id("RegistryJson", "OrderTaken", Version::new(2, 0)),
        Some(id),
        "another minor version goes with it"
    );
    assert_eq!(codec.schema_id("RegistryJson", "OrderTaken", Version::new(1, 0)), None);
    let subject = "RegistryJson-events-OrderTaken.v2";
    let latest = registry().version(subject, SchemaVersion::Latest).await.unwrap().unwrap();
    assert_eq!((latest.id, latest.schema.format), (id, Format::Json));
    assert_eq!(registry().by_id(id).await.unwrap(), latest.schema);
    let first = registry().version(subject, SchemaVersion::Number(latest.version)).await.unwrap();
    assert_eq!(first, Some(latest));
    assert_eq!(registry().version(subject, SchemaVersion::Number(4_711)).await.unwrap(), None);
    let second = json_codec().await;
    assert_eq!(
        second.schema_id("RegistryJson", "OrderTaken", Version::new(2, 1)),
        Some(id),
        "it is found again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_schema_is_not_published() {
    let bus = memory(RegistryCodec::builder(registry()).connect().await.unwrap());
    let error = bus.publish(&taken("größe/42")).await.unwrap_err();
    assert_eq!(error.kind(), jitney::ErrorKind::Encode);
    assert!(error.to_string().contains("`OrderTaken 2.1`"), "{error}");
    assert!(error.to_string().contains("was given no schema"), "{error}");
}
