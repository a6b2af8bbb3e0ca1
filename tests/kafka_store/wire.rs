//! What others find in the topics.

use std::time::Duration;

use jitney::kafka::Kafka;
use jitney::kafka::rdkafka::ClientConfig;
use jitney::kafka::rdkafka::consumer::{BaseConsumer, Consumer};
use jitney::kafka::rdkafka::message::{BorrowedMessage, Headers, Message, OwnedMessage};
use jitney::kafka::rdkafka::{Offset, TopicPartitionList};
use jitney::message::Outbound;
use jitney::sourcing::EventStore;
use jitney::transport::Transport;
use jitney_core::Env;

use super::store::{PATIENCE, Topics, add, stream};

const PARTITIONS: i32 = 5;

/// The first `count` records of a topic.
fn records(topics: &Topics, count: usize) -> Vec<OwnedMessage> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", topics.brokers()).set("group.id", "wire");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut places = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        places.add_partition_offset(&topics.topic(), partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&places).unwrap();
    let deadline = Env::system().instant() + PATIENCE;
    let mut found = Vec::new();
    while found.len() < count {
        assert!(Env::system().instant() < deadline, "{} of {count} records came", found.len());
        if let Some(record) = consumer.poll(Duration::from_millis(100)) {
            found.push(record.as_ref().map(BorrowedMessage::detach).unwrap());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_the_envelopes_of_the_bus_on_the_partitions_of_the_bus() {
    let topics = Topics { prefix: Topics::new().prefix, ..Topics::new() };
    let url = format!("{}/?create_topics=true&partitions={PARTITIONS}", topics.url);
    let builder = jitney::kafka::KafkaStore::builder(&url).aggregate_types(["Counter"]);
    let store = builder.topic_prefix(&*topics.prefix).connect().await.unwrap();
    for id in ["a", "b", "c", "d"] {
        add(&store, id, &format!("event-{id}")).await;
    }
    store.archive(&stream("a")).await.unwrap();
    let bus = Kafka::from_url(&url).await.unwrap();
    let found = tokio::task::block_in_place(|| records(&topics, 5));
    let header = |record: &OwnedMessage, name: &str| {
        let header = record
            .headers()
            .and_then(|all| all.iter().find(|header| header.key == name)?.value.map(<[u8]>::to_vec));
        header.map(|value| String::from_utf8(value).unwrap())
    };
    let is_mark = |record: &&OwnedMessage| header(record, "jitney-stream-state").is_some();
    for record in found.iter().filter(|record| !is_mark(record)) {
        let value: serde_json::Value = serde_json::from_slice(record.payload().unwrap()).unwrap();
        let id = value["aggregateId"].as_str().unwrap();
        assert_eq!((record.key().unwrap(), value["sequence"].as_u64()), (id.as_bytes(), Some(1)));
        assert_eq!(header(record, "event-type").as_deref(), Some("Up"));
        assert_eq!(value["payload"]["by"], 1);
        assert_eq!(record.timestamp().to_millis(), Some(7_000));
        // The same key, published by the bus.
        let message = jitney::message::Message {
            topic: topics.topic().into(),
            key: Some(record.key().unwrap().to_vec().into()),
            headers: Vec::new(),
            time: Env::system().now(),
            body: "{}".into(),
        };
        bus.publish(vec![Outbound { message, attributes: None }]).await;
    }
    let mark = found.iter().find(is_mark).unwrap();
    let value: serde_json::Value = serde_json::from_slice(mark.payload().unwrap()).unwrap();
    assert_eq!((value["eventType"].as_str(), value.get("sequence")), (Some("StreamArchived"), None));
    assert_eq!(header(mark, "jitney-stream-state").as_deref(), Some("archived"));
    let all = tokio::task::block_in_place(|| records(&topics, 9));
    for record in all.iter().filter(|record| record.payload() == Some(b"{}")) {
        let stored = found.iter().find(|stored| stored.key() == record.key()).unwrap();
        assert_eq!(stored.partition(), record.partition(), "{:?}", record.key());
    }
}
