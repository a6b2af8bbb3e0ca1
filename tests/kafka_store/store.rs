//! Stores of a test's own, events, and plain clients beside them.

use std::time::Duration;

use jiff::Timestamp;
use jitney::DomainEvent;
use jitney::kafka::rdkafka::ClientConfig;
use jitney::kafka::rdkafka::message::OwnedHeaders;
use jitney::kafka::rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use jitney::kafka::{KafkaStore, StoreBuilder};
use jitney::sourcing::{
    Append, Appended, Error, ErrorKind, EventStore, Expected, Filter, NewEvent, Page, Position, StoredEvent,
    StreamId,
};
use jitney_core::Env;
use serde::{Deserialize, Serialize};

/// The bound on every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Counter")]
pub(crate) enum Counted {
    Up { by: u64 },
}

/// Topics that nobody else has.
pub(crate) struct Topics {
    pub(crate) url: String,
    pub(crate) prefix: String,
}

impl Topics {
    pub(crate) fn new() -> Self {
        let url = jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}"));
        Topics { url, prefix: format!("store-{:08x}.", Env::system().random() >> 32) }
    }

    /// The store of counters, in one partition, which makes what is missing.
    pub(crate) fn builder(&self) -> StoreBuilder {
        let builder = KafkaStore::builder(&format!("{}/?create_topics=true&partitions=1", self.url));
        let builder = builder.aggregate_types(["Counter"]).topic_prefix(&*self.prefix);
        builder.session_timeout(Duration::from_secs(3))
    }

    pub(crate) async fn store(&self) -> KafkaStore {
        self.builder().connect().await.unwrap()
    }

    /// The topic of counters.
    pub(crate) fn topic(&self) -> String {
        format!("{}Counter-events", self.prefix)
    }

    /// The brokers, for clients of other makers.
    pub(crate) fn brokers(&self) -> &str {
        self.url.strip_prefix("kafka://").unwrap()
    }

    /// A producer of other makers, under the name by which the store's own transactions are known where `is_owner`.
    pub(crate) fn producer(&self, is_owner: bool) -> ThreadedProducer<DefaultProducerContext> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers());
        if is_owner {
            config.set("transactional.id", format!("jitney.{}-0", self.topic()));
        }
        config.create().unwrap()
    }

    /// Writes a record past the store.
    pub(crate) fn write(&self, key: &str, body: &str) {
        let (topic, producer) = (self.topic(), self.producer(false));
        let headers = OwnedHeaders::new();
        let record = BaseRecord::to(&topic).key(key).payload(body).headers(headers);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
    }
}

pub(crate) fn stream(id: &str) -> StreamId {
    StreamId::new("Counter", id)
}

pub(crate) fn up(id: &str) -> NewEvent {
    NewEvent::new(id.into(), Timestamp::from_second(7).unwrap(), &Counted::Up { by: 1 }).unwrap()
}

/// The events `ids` for the stream `name`, wherever that is.
pub(crate) fn append(name: &str, ids: &[&str]) -> Append {
    Append::to(stream(name), Expected::Any, ids.iter().map(|id| up(id)))
}

/// Appends until the store is the one that writes.
pub(crate) async fn store_as_owner(store: &KafkaStore, append: Append) -> Result<Appended, Error> {
    let env = Env::system();
    let appending = async {
        loop {
            match store.append(append.clone()).await {
                Err(error) if error.kind() == ErrorKind::NotOwner => {
                    env.sleep(Duration::from_millis(20)).await
                }
                answer => return answer,
            }
        }
    };
    env.timeout(PATIENCE, appending).await.expect("the store becomes the owner in time")
}

/// Appends the event `id`.
pub(crate) async fn add(store: &KafkaStore, name: &str, id: &str) {
    store_as_owner(store, append(name, &[id])).await.unwrap();
}

pub(crate) async fn page(store: &KafkaStore, after: &Position) -> Result<Page, Error> {
    store.read_all(after, &Filter::all(), 10_000).await
}

pub(crate) fn ids(events: &[StoredEvent]) -> Vec<String> {
    events.iter().map(|event| event.head().event_id.to_string()).collect()
}
