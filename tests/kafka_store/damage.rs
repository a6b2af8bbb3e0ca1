//! Records that the store cannot have written.

use jitney::kafka::rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use jitney::kafka::rdkafka::client::DefaultClientContext;
use jitney::kafka::rdkafka::{ClientConfig, Offset, TopicPartitionList};
use jitney::sourcing::{ErrorKind, EventStore, Position, ReadStream};

use super::store::{Topics, add, append, ids, page, stream};

/// A record as a service would publish it.
fn envelope(id: &str, aggregate_id: &str, sequence: Option<u64>) -> String {
    let sequence = sequence.map(|sequence| format!(r#","sequence":{sequence}"#)).unwrap_or_default();
    format!(
        r#"{{"eventId":"{id}","eventType":"Up","aggregateId":"{aggregate_id}","aggregateType":"Counter",
            "timestamp":"2026-01-02T03:04:05.678Z","version":1{sequence},"payload":{{"by":1}},"metadata":{{}}}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_is_named_and_can_be_passed() {
    let topics = Topics::new();
    let store = topics.store().await;
    add(&store, "a", "1").await;
    topics.write("a", "no envelope");
    add(&store, "b", "2").await;
    let error = store.read_stream(&stream("a"), ReadStream::forward()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Decode, false), "{error:?}");
    assert!(error.to_string().contains("offset 2 of"), "{error}");
    assert_eq!(store.append(append("a", &["3"])).await.unwrap_err().kind(), ErrorKind::Decode);
    // What is before it is read, and then it is named, with the position behind it.
    let before = page(&store, &Position::START).await.unwrap();
    assert_eq!((ids(&before.events), before.at_end), (vec!["1".to_owned()], false));
    let error = page(&store, &before.position).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode, "{error:?}");
    let text = error.to_string();
    let behind: Position = text.split('`').nth(1).unwrap().parse().unwrap();
    assert_eq!(ids(&page(&store, &behind).await.unwrap().events), ["2"]);
    let other = store.read_stream(&stream("b"), ReadStream::forward()).await.unwrap();
    assert_eq!(ids(&other), ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_second_writer_stops_its_stream() {
    let topics = Topics::new();
    let store = topics.store().await;
    add(&store, "a", "1").await;
    topics.write("a", &envelope("other", "a", Some(1)));
    let error = store.read_stream(&stream("a"), ReadStream::forward()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("it is event 1 of a, where event 2 must be"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_published_and_not_stored_is_passed_over() {
    let topics = Topics::new();
    let store = topics.store().await;
    add(&store, "a", "1").await;
    topics.write("a", &envelope("published", "a", None));
    add(&store, "a", "2").await;
    let events = store.read_stream(&stream("a"), ReadStream::forward()).await.unwrap();
    assert_eq!(ids(&events), ["1", "2"]);
    assert_eq!(ids(&page(&store, &Position::START).await.unwrap().events), ["1", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_were_deleted_are_missed_before_anything_is_answered() {
    let topics = Topics::new();
    let store = topics.store().await;
    add(&store, "a", "1").await;
    add(&store, "a", "2").await;
    drop(store);
    let mut places = TopicPartitionList::new();
    places.add_partition_offset(&topics.topic(), 0, Offset::Offset(1)).unwrap();
    admin(&topics).delete_records(&places, &AdminOptions::new()).await.unwrap();
    let store = topics.store().await;
    let read = store.read_stream(&stream("a"), ReadStream::forward()).await.unwrap_err();
    assert_eq!((read.kind(), read.is_retryable()), (ErrorKind::Store, false), "{read:?}");
    assert!(read.to_string().contains("were deleted"), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_has_grown_is_not_used_any_more() {
    let topics = Topics::new();
    let store = topics.store().await;
    // Some of them belong on another partition then, whatever they are.
    for stream in 0..16 {
        add(&store, &stream.to_string(), &format!("of-{stream}")).await;
    }
    drop(store);
    let topic = topics.topic();
    let grown = NewPartitions::new(&topic, 4);
    for result in admin(&topics).create_partitions([&grown], &AdminOptions::new()).await.unwrap() {
        result.unwrap();
    }
    let store = topics.store().await;
    for id in 0..16 {
        let error = store.read_stream(&stream(&id.to_string()), ReadStream::forward()).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Config, false), "{error:?}");
        assert!(error.to_string().contains("it has grown"), "{error}");
    }
    assert_eq!(store.append(append("new", &["new"])).await.unwrap_err().kind(), ErrorKind::Config);
}

fn admin(topics: &Topics) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", topics.brokers()).create().unwrap()
}
