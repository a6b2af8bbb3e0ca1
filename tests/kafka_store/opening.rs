//! What is checked before a store is used.

use jitney::kafka::KafkaStore;
use jitney::kafka::rdkafka::ClientConfig;
use jitney::kafka::rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use jitney::kafka::rdkafka::client::DefaultClientContext;
use jitney::sourcing::{Error, ErrorKind, EventStore, Expected, ReadStream, StreamId};

use super::store::{Topics, append, stream, up};

fn refused(opened: Result<KafkaStore, Error>, says: &[&str]) {
    let error = opened.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Config, false), "{error:?}");
    let text = error.to_string();
    says.iter().for_each(|part| assert!(text.contains(part), "no `{part}` in: {text}"));
}

async fn make(topics: &Topics, settings: &[(&str, &str)]) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", topics.brokers()).create().unwrap();
    let topic = topics.topic();
    let topic =
        settings.iter().fold(NewTopic::new(&topic, 1, TopicReplication::Fixed(1)), |topic, (name, value)| {
            topic.set(name, value)
        });
    admin.create_topics([&topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
}

#[tokio::test]
async fn a_topic_that_loses_events_is_refused_with_the_setting_that_mends_it() {
    for (setting, value) in [
        ("retention.ms", "1000"),
        ("retention.bytes", "1000"),
        ("cleanup.policy", "compact"),
        ("unclean.leader.election.enable", "true"),
    ] {
        let topics = Topics::new();
        let mut settings = vec![("retention.ms", "-1"), ("retention.bytes", "-1")];
        settings.retain(|(name, _)| *name != setting);
        settings.push((setting, value));
        make(&topics, &settings).await;
        refused(
            topics.builder().connect().await,
            &[&topics.topic(), &format!("`{setting}={value}`"), "kafka-configs.sh"],
        );
    }
}

#[tokio::test]
async fn a_topic_that_is_missing_is_made_only_where_that_is_allowed() {
    let topics = Topics::new();
    let builder =
        || KafkaStore::builder(&topics.url).aggregate_types(["Counter"]).topic_prefix(&*topics.prefix);
    refused(builder().connect().await, &[&topics.topic(), "create_topics=true", "retention.ms=-1"]);
    topics.store().await;
    builder().connect().await.unwrap();
}

#[tokio::test]
async fn what_no_topic_can_be_made_of_is_refused() {
    let topics = Topics::new();
    let builder = || KafkaStore::builder(&topics.url);
    refused(builder().connect().await, &["aggregate_types"]);
    refused(builder().aggregate_types(["a b"]).connect().await, &["aggregate type `a b`"]);
    refused(builder().aggregate_types(["A"]).name("").connect().await, &["name"]);
    refused(KafkaStore::connect("amqp://localhost", ["A"]).await, &["kafka://"]);
}

#[tokio::test]
async fn a_type_that_was_not_named_is_neither_written_nor_read() {
    let store = Topics::new().store().await;
    let other = StreamId::new("Other", "1");
    let refused = [
        store
            .append(jitney::sourcing::Append::to(other.clone(), Expected::Any, [up("1")]))
            .await
            .unwrap_err(),
        store.read_stream(&other, ReadStream::forward()).await.unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("Counter"), "{error}");
    }
    let mut no_json = up("1");
    no_json.payload = "{".into();
    let broken = jitney::sourcing::Append::to(stream("a"), Expected::Any, [no_json]);
    assert_eq!(store.append(broken).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert!(store.append(append("a", &[])).await.is_err());
}
