//! The broker as its own clients see it: topics made, changed and read without anything of ours between.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use jitney::Env;
use jitney::kafka::rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use jitney::kafka::rdkafka::client::DefaultClientContext;
use jitney::kafka::rdkafka::consumer::{BaseConsumer, Consumer};
use jitney::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use jitney::kafka::rdkafka::message::{Header, Headers, Message, OwnedHeaders, Timestamp};
use jitney::kafka::rdkafka::producer::{FutureProducer, FutureRecord};
use jitney::kafka::rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::service::until;
use crate::kafka_client::answered::{ANSWER, answered};

/// The URL of the broker, with quick commits; a member that goes in the middle of a rebalance is missed after six seconds, and
/// not after 45.
pub(crate) fn url() -> String {
    format!("{}/?commit_interval=50ms&session.timeout.ms=6000", plain_url())
}

/// The URL of the broker, with nothing behind the address.
pub(crate) fn plain_url() -> String {
    jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}"))
}

/// A name that nobody has used, beginning with `what`.
pub(crate) fn fresh(what: &str) -> String {
    format!("{what}-{:016x}", Env::system().random())
}

/// A client of the broker that knows nothing of events.
pub(crate) struct Broker {
    settings: ClientConfig,
    admin: AdminClient<DefaultClientContext>,
    producer: FutureProducer,
}

/// What is, or is to be, in a partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(String, Option<Bytes>)>,
    /// In milliseconds; now where it is 0.
    pub(crate) time: i64,
}

impl Record {
    pub(crate) fn new(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Record { key: Some(key.into()), value: Some(value.into()), time: 1_234_567, ..Record::default() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Bytes>) -> Self {
        self.headers.push((name.to_owned(), Some(value.into())));
        self
    }

    /// The last header called `name`, as text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().rev().find(|(found, _)| found == name)?;
        std::str::from_utf8(value.as_ref()?).ok()
    }

    /// What a dead letter was before it was one.
    pub(crate) fn before_it_died(mut self) -> Self {
        self.time = self.text("jitney-event-time").expect("the time is kept").parse().unwrap();
        self.headers.retain(|(name, _)| name != "jitney-event-time" && !name.starts_with("jitney-dead-"));
        self
    }
}

impl Broker {
    pub(crate) fn connect() -> Self {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", plain_url().trim_start_matches("kafka://"));
        let mut producer = settings.clone();
        // The broker is to judge what is too large.
        producer.set("message.max.bytes", "100000000").set("linger.ms", "0");
        // What is sent again does not come behind what was written after it.
        producer.set("max.in.flight.requests.per.connection", "1");
        let (admin, producer) = (settings.create().unwrap(), producer.create().unwrap());
        Broker { settings, admin, producer }
    }

    /// Makes a topic with `settings`, and waits until it can be written to.
    pub(crate) async fn make(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let new = settings.iter().fold(new, |new, (name, value)| new.set(name, value));
        let made = self.admin.create_topics(&[new], &AdminOptions::new()).await.unwrap();
        for result in made {
            // Tests that run beside each other may both find that it is missing.
            assert!(matches!(result, Ok(_) | Err((_, Code::TopicAlreadyExists))), "{result:?}");
        }
        self.wait_until_whole(topic, partitions).await;
    }

    async fn wait_until_whole(&self, topic: &str, partitions: i32) {
        let what = format!("topic {topic} is there with {partitions} partitions");
        until(&what, || self.partitions(topic).len() == partitions as usize).await;
        // It is told of before it is there: whoever leads a partition answers this when it leads.
        for partition in 0..partitions {
            self.end(topic, partition);
        }
    }

    /// The same for a topic that an earlier run may have made.
    pub(crate) async fn ensure(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
        if self.partitions(topic).is_empty() {
            self.make(topic, partitions, settings).await;
        } else {
            // Another test may be making it: it can be seen with some of its partitions.
            self.wait_until_whole(topic, partitions).await;
        }
    }

    /// A topic with a new name and one partition.
    pub(crate) async fn topic(&self, what: &str) -> String {
        let topic = fresh(what);
        self.make(&topic, 1, &[]).await;
        topic
    }

    /// Sets `name` of a topic, and all its other settings to their defaults, and waits until that holds.
    pub(crate) async fn alter(&self, topic: &str, name: &str, value: &str) {
        let alter = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
        let altered = self.admin.alter_configs(&[alter], &AdminOptions::new()).await.unwrap();
        altered.into_iter().for_each(|result| drop(result.unwrap()));
        let env = Env::system();
        let deadline = env.instant() + ANSWER;
        while self.setting(topic, name).await.as_deref() != Some(value) {
            assert!(env.instant() < deadline, "`{name}` of topic {topic} is not {value} after {ANSWER:?}");
            env.sleep(Duration::from_millis(20)).await;
        }
    }

    /// What a setting of a topic is.
    pub(crate) async fn setting(&self, topic: &str, name: &str) -> Option<String> {
        let asked = [ResourceSpecifier::Topic(topic)];
        let answers = self.admin.describe_configs(&asked, &AdminOptions::new()).await.unwrap();
        let answer = answers.into_iter().next().unwrap().unwrap();
        answer.get(name).and_then(|entry| entry.value.clone())
    }

    /// Deletes what is in a partition before `offset`.
    pub(crate) async fn cut(&self, topic: &str, partition: i32, offset: i64) {
        let mut before = TopicPartitionList::new();
        before.add_partition_offset(topic, partition, Offset::Offset(offset)).unwrap();
        drop(self.admin.delete_records(&before, &AdminOptions::new()).await.unwrap());
    }

    /// The partitions of a topic; none where it does not exist.
    pub(crate) fn partitions(&self, topic: &str) -> Vec<i32> {
        let reader: BaseConsumer = self.settings.create().unwrap();
        let metadata = answered(|| reader.fetch_metadata(Some(topic), ANSWER));
        metadata.topics()[0].partitions().iter().map(|partition| partition.id()).collect()
    }

    /// Writes a record; answers its offset.
    pub(crate) async fn write(&self, topic: &str, record: &Record) -> i64 {
        self.try_write(topic, record).await.unwrap()
    }

    /// Writes records, in their order.
    pub(crate) async fn write_all(&self, topic: &str, records: &[Record]) {
        join_all(records.iter().map(|record| self.write(topic, record))).await;
    }

    /// Writes a record in a compressed batch.
    pub(crate) async fn write_compressed(&self, topic: &str, record: &Record) -> i64 {
        let mut settings = self.settings.clone();
        settings.set("message.max.bytes", "100000000").set("compression.type", "gzip");
        send(&settings.create().unwrap(), topic, record).await.unwrap()
    }

    /// Writes a record, if the broker takes it.
    pub(crate) async fn try_write(&self, topic: &str, record: &Record) -> Result<i64, Code> {
        send(&self.producer, topic, record).await
    }

    /// Everything that is in a topic now, as a reader of committed transactions sees it.
    pub(crate) fn read(&self, topic: &str) -> Vec<Record> {
        let mut settings = self.settings.clone();
        settings.set("group.id", "jitney-tests-reader").set("enable.auto.commit", "false");
        settings.set("enable.partition.eof", "true").set("isolation.level", "read_committed");
        let reader: BaseConsumer = settings.create().unwrap();
        let mut open = self.partitions(topic);
        let mut assignment = TopicPartitionList::new();
        for partition in &open {
            assignment.add_partition_offset(topic, *partition, Offset::Beginning).unwrap();
        }
        reader.assign(&assignment).unwrap();
        let env = Env::system();
        let deadline = env.instant() + ANSWER;
        let mut records = Vec::new();
        while !open.is_empty() {
            match reader.poll(Duration::from_millis(100)) {
                Some(Ok(found)) => records.push(record(&found)),
                Some(Err(KafkaError::PartitionEOF(partition))) => open.retain(|open| *open != partition),
                other => {
                    let is_late = env.instant() > deadline;
                    assert!(
                        !is_late,
                        "topic {topic} has no end within {ANSWER:?}: {:?}",
                        other.and_then(Result::err)
                    );
                }
            }
        }
        records
    }

    /// What is in a topic now whose value has `part` in it.
    pub(crate) fn read_with(&self, topic: &str, part: &str) -> Vec<Record> {
        let is_wanted = |record: &Record| {
            let value = record.value.as_deref().unwrap_or_default();
            value.windows(part.len()).any(|window| window == part.as_bytes())
        };
        self.read(topic).into_iter().filter(is_wanted).collect()
    }

    /// Where the next record of a partition goes.
    pub(crate) fn end(&self, topic: &str, partition: i32) -> i64 {
        let reader: BaseConsumer = self.settings.create().unwrap();
        answered(|| reader.fetch_watermarks(topic, partition, ANSWER)).1
    }

    /// Whether `group` has committed everything that is in a topic.
    pub(crate) fn is_done(&self, group: &str, topic: &str) -> bool {
        let mut partitions = self.partitions(topic).into_iter();
        partitions.all(|it| self.committed(group, topic, it).unwrap_or(0) == self.end(topic, it))
    }

    /// How many members `group` has.
    pub(crate) fn members(&self, group: &str) -> usize {
        let reader = self.of_group(group);
        let found = answered(|| reader.fetch_group_list(Some(group), ANSWER));
        found.groups().iter().map(|group| group.members().len()).sum()
    }

    /// Where `group` is in a partition; nothing where it never committed.
    pub(crate) fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(topic, partition);
        let reader = self.of_group(group);
        let answer = answered(|| reader.committed_offsets(asked.clone(), ANSWER));
        match answer.elements()[0].offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    fn of_group(&self, group: &str) -> BaseConsumer {
        self.settings.clone().set("group.id", group).create().unwrap()
    }
}

async fn send(producer: &FutureProducer, topic: &str, record: &Record) -> Result<i64, Code> {
    let headers = record.headers.iter().fold(OwnedHeaders::new(), |headers, (name, value)| {
        headers.insert(Header { key: name, value: value.as_deref() })
    });
    let mut new = FutureRecord::<[u8], [u8]>::to(topic).partition(record.partition).headers(headers);
    new.key = record.key.as_deref();
    new.payload = record.value.as_deref();
    new.timestamp = Some(record.time).filter(|time| *time > 0);
    let sent = producer.send(new, ANSWER).await;
    sent.map(|delivery| delivery.offset).map_err(|(error, _)| error.rdkafka_error_code().unwrap())
}

fn record(found: &impl Message) -> Record {
    let headers = found.headers().map(|headers| {
        let headers = headers.iter().map(|it| (it.key.to_owned(), it.value.map(Bytes::copy_from_slice)));
        headers.collect()
    });
    Record {
        partition: found.partition(),
        key: found.key().map(Bytes::copy_from_slice),
        value: found.payload().map(Bytes::copy_from_slice),
        headers: headers.unwrap_or_default(),
        time: match found.timestamp() {
            Timestamp::NotAvailable => 0,
            Timestamp::CreateTime(time) | Timestamp::LogAppendTime(time) => time,
        },
    }
}
