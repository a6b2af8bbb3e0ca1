//! What is in a topic, as a client that is not ours sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jitney::Env;
use jitney::kafka::rdkafka::consumer::{BaseConsumer, Consumer};
use jitney::kafka::rdkafka::error::KafkaError;
use jitney::kafka::rdkafka::message::Message;
use jitney::kafka::rdkafka::{ClientConfig, Offset, TopicPartitionList};
use jitney_testkit::history::EventRef;
use serde::Deserialize;

use crate::faults::events::TOPIC;
use crate::faults::run::PATIENCE;
use crate::kafka_client::answered::{ANSWER, answered};

const STEP: Duration = Duration::from_millis(100);

/// Which messages a reader sees.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Isolation {
    /// Those of transactions that were committed.
    Committed,
    /// Those of aborted ones too.
    Uncommitted,
}

/// Waits until no transaction is open in `topic`. Those of the dead are ended by the cluster after a time, and until then hide
/// what is behind their beginning.
pub(crate) fn until_no_transaction_is_open(brokers: &str, topic: &str) {
    let (committed, all) = (reader(brokers, Isolation::Committed), reader(brokers, Isolation::Uncommitted));
    let end =
        |reader: &BaseConsumer, partition| answered(|| reader.fetch_watermarks(topic, partition, ANSWER)).1;
    let env = Env::system();
    let deadline = env.instant() + PATIENCE;
    for partition in partitions(&all, topic) {
        while end(&committed, partition) < end(&all, partition) {
            assert!(env.instant() < deadline, "a transaction is open in {topic} after {PATIENCE:?}");
            // A pause: nothing is assigned.
            drop(committed.poll(STEP));
        }
    }
}

/// How often each event is in `topic`.
pub(crate) fn read(brokers: &str, topic: &str, isolation: Isolation) -> BTreeMap<EventRef, usize> {
    let consumer = reader(brokers, isolation);
    let mut open = partitions(&consumer, topic);
    let mut all = TopicPartitionList::new();
    for partition in &open {
        all.add_partition_offset(topic, *partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    let env = Env::system();
    let deadline = env.instant() + PATIENCE;
    let mut found = BTreeMap::new();
    while !open.is_empty() {
        match consumer.poll(STEP) {
            Some(Ok(message)) => *found.entry(event_of(&message)).or_default() += 1,
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
            other => {
                let (is_late, error) = (env.instant() > deadline, other.and_then(Result::err));
                assert!(!is_late, "{topic} has no end in {open:?} within {PATIENCE:?}: {error:?}");
            }
        }
    }
    found
}

fn reader(brokers: &str, isolation: Isolation) -> BaseConsumer {
    let isolation = match isolation {
        Isolation::Committed => "read_committed",
        Isolation::Uncommitted => "read_uncommitted",
    };
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", brokers.trim_start_matches("kafka://"))
        .set("group.id", "faults-reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", isolation);
    settings.create().unwrap()
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> BTreeSet<i32> {
    let metadata = answered(|| consumer.fetch_metadata(Some(topic), ANSWER));
    metadata.topics()[0].partitions().iter().map(|partition| partition.id()).collect()
}

fn event_of(message: &impl Message) -> EventRef {
    #[derive(Deserialize)]
    struct Body {
        payload: Payload,
    }
    #[derive(Deserialize)]
    struct Payload {
        key: String,
        sequence: u64,
    }
    let Body { payload } = serde_json::from_slice(message.payload().unwrap()).unwrap();
    EventRef::new(TOPIC, payload.key, payload.sequence)
}
