//! Loops over rdkafka that do equal work: the same settings, envelope, headers and key; offsets stored and committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jitney::kafka::rdkafka::consumer::{BaseConsumer, Consumer};
use jitney::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use jitney::kafka::rdkafka::message::{
    BorrowedMessage, DeliveryResult, Header, Headers, Message as _, OwnedHeaders,
};
use jitney::kafka::rdkafka::producer::{
    BaseRecord, NoCustomPartitioner, Producer, ProducerContext, ThreadedProducer,
};
use jitney::kafka::rdkafka::{ClientConfig, ClientContext};

use crate::body::{EVENT_TYPE, OrderCreated};
use crate::contestant::{Contestant, Failure, Lap, Running, Stopwatch, Tally, Workload};
use crate::envelope::{Borrowed, Envelopes};
use crate::settings::{CONSUMER_SETTINGS, PRODUCER_SETTINGS, TOPIC};

pub const CONTESTANT: Contestant = Contestant { name: "rdkafka", produce, consume };

/// The same, reading each record's headers too, as a consumer does that routes by `event-type` or carries a correlation on:
/// what a bus cannot do without, since handlers may ask for them.
pub const WITH_HEADERS: Contestant = Contestant {
    name: "rdkafka, headers",
    produce,
    consume: |work| Box::pin(async move { receive(&work, true) }),
};

/// Counts what is acked.
#[derive(Default)]
struct Acks {
    acked: Arc<AtomicU64>,
}

impl ClientContext for Acks {}

impl ProducerContext<NoCustomPartitioner> for Acks {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, _: usize) {
        if result.is_ok() {
            self.acked.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn produce(work: Arc<Workload>) -> Running {
    Box::pin(async move { publish(&work) })
}

fn publish(work: &Workload) -> Result<Lap, Failure> {
    let acks = Acks::default();
    let acked = Arc::clone(&acks.acked);
    let producer: ThreadedProducer<Acks> = settings(work, &PRODUCER_SETTINGS).create_with_context(acks)?;
    let mut envelopes = Envelopes::seeded(1);
    let stopwatch = Stopwatch::start();
    let mut body = Vec::new();
    for (number, order) in work.orders().enumerate() {
        let envelope = envelopes.wrap(order);
        body.clear();
        serde_json::to_writer(&mut body, &envelope)?;
        let correlation = envelope.metadata.correlation_id.to_string();
        loop {
            let headers = OwnedHeaders::new_with_capacity(2)
                .insert(Header { key: "event-type", value: Some(EVENT_TYPE) })
                .insert(Header { key: "correlation-id", value: Some(&correlation) });
            let record = BaseRecord::with_opaque_to(TOPIC, number)
                .key(&order.order_id)
                .payload(&body)
                .headers(headers)
                .timestamp(envelope.timestamp.as_millisecond());
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }
    producer.flush(Duration::from_secs(60))?;
    let lap = stopwatch.lap();
    match acked.load(Ordering::Relaxed) {
        all if all == work.events => Ok(lap),
        some => Err(format!("{some} events were acked, not {}", work.events).into()),
    }
}

fn settings(work: &Workload, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &work.address);
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config
}

fn consume(work: Arc<Workload>) -> Running {
    Box::pin(async move { receive(&work, false) })
}

fn receive(work: &Workload, reads_headers: bool) -> Result<Lap, Failure> {
    let consumer: BaseConsumer = settings(work, &CONSUMER_SETTINGS)
        .set("group.id", work.group())
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "true")
        .create()?;
    consumer.subscribe(&[TOPIC])?;
    let tally = Tally::of(work);
    while !tally.is_done() {
        let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
        let record = record?;
        if reads_headers && !has_headers(&record) {
            return Err("a record came without its headers".into());
        }
        let envelope: Borrowed<'_> = serde_json::from_slice(record.payload().unwrap_or_default())?;
        let order: OrderCreated = serde_json::from_str(envelope.payload.get())?;
        tally.handle(&order);
    }
    tally.lap(work)
}

/// Whether the record says of what type it is, and to which chain it belongs.
fn has_headers(record: &BorrowedMessage<'_>) -> bool {
    let Some(headers) = record.headers() else { return false };
    let is_known = |header: Header<'_, &[u8]>| match header.key {
        "event-type" => header.value == Some(EVENT_TYPE.as_bytes()),
        "correlation-id" => header.value.is_some_and(|id| id.len() == 36),
        _ => true,
    };
    headers.count() == 2 && headers.iter().all(is_known)
}
