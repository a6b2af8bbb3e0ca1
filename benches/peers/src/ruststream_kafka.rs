//! RustStream 0.7.7 on Kafka, by `ruststream-rdkafka` 0.7.1: a service with a typed subscriber, its default JSON codec, and
//! the publisher of a connected broker.
//!
//! RustStream carries no envelope of its own, so its user writes the type: the publisher wraps each order as the raw loop
//! does, with the same headers and the same key, and the subscriber takes the envelope as an owned value. librdkafka is set
//! as for the raw loop. Each delivery is acked, and offsets are committed behind what is acked (`Commit::Tracked`), which is
//! what Jitney does; the raw loop has them committed behind what is read. Deliveries are handled one after the other. Two
//! things its interface has no place for: the time of a record is that of its sending, not that of the envelope, and the
//! producer is opened by the first publish, so its connecting is timed.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use ruststream::{Broker, ConnectedBroker, Str};
use ruststream_rdkafka::prelude::*;
use ruststream_rdkafka::{KafkaPublisher, PARTITION_KEY_HEADER};

use crate::contestant::{Contestant, Failure, Lap, Running, Stopwatch, Tally, Workload};
use crate::envelope::{Envelope, Envelopes, Owned};
use crate::jitney::{BATCH, CALLS};
use crate::ruststream_message::headers;
use crate::settings::{CONSUMER_SETTINGS, PRODUCER_SETTINGS, TOPIC};

pub const CONTESTANT: Contestant = Contestant { name: "ruststream", produce, consume };

/// So many publishes are under way, each of one event: as many events as Jitney's contestant has.
const IN_FLIGHT: usize = BATCH * CALLS;

fn produce(work: Arc<Workload>) -> Running {
    Box::pin(async move { publish(&work).await })
}

async fn publish(work: &Workload) -> Result<Lap, Failure> {
    let broker =
        PRODUCER_SETTINGS.iter().fold(KafkaBroker::new([&*work.address]), |broker, (name, value)| {
            broker.producer_config(*name, *value)
        });
    let connected = broker.connect().await?;
    let publisher = connected.publisher(Publish::default());
    let mut envelopes = Envelopes::seeded(1);
    let stopwatch = Stopwatch::start();
    let mut sends = stream::iter(work.orders())
        .map(|order| send(&publisher, envelopes.wrap(order)))
        .buffer_unordered(IN_FLIGHT);
    let mut acked = 0;
    while let Some(sent) = sends.next().await {
        sent?;
        acked += 1;
    }
    let lap = stopwatch.lap();
    drop(sends);
    connected.shutdown().await?;
    if acked == work.events {
        Ok(lap)
    } else {
        Err(format!("{acked} were acked, not {}", work.events).into())
    }
}

async fn send(publisher: &KafkaPublisher, envelope: Envelope<'_>) -> Result<(), Failure> {
    let mut headers = headers(&envelope, 1);
    headers.insert(Str::from_static(PARTITION_KEY_HEADER), envelope.aggregate_id.clone());
    Ok(publisher.message(&envelope).with_headers(headers).to(TOPIC).publish().await?)
}

#[subscriber(
    KafkaTopic::new(TOPIC)
        .start(StartOffset::Earliest)
        .assignment(Assignment::CooperativeSticky)
        .commit(Commit::Tracked)
)]
async fn enveloped(envelope: &Owned, ctx: &mut Context<'_, (), Arc<Tally>>) -> HandlerOutcome {
    ctx.state().handle(&black_box(envelope).payload);
    HandlerOutcome::ack()
}

fn consume(work: Arc<Workload>) -> Running {
    Box::pin(async move { receive(&work).await })
}

async fn receive(work: &Workload) -> Result<Lap, Failure> {
    let tally = Tally::of(work);
    let state = Arc::clone(&tally);
    let broker = CONSUMER_SETTINGS
        .iter()
        .fold(KafkaBroker::new([&*work.address]), |broker, (name, value)| broker.config(*name, *value))
        .default_group(&work.group());
    let service = RustStream::new(AppInfo::new("bench", "0.0.0"))
        .on_startup(async move |()| Ok::<_, Infallible>(state))
        .with_broker(broker, |scope| drop(scope.include(enveloped)))
        .start()
        .await?;
    tally.done().await;
    service.shutdown().await?;
    tally.lap(work)
}
