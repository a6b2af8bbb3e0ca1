//! Loops over lapin that do equal work: the same envelope, properties and headers; every publish confirmed, everything acked.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt;
use jitney::rabbitmq::lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};

use jitney::rabbitmq::lapin::types::{AMQPValue, FieldTable, ShortString};
use jitney::rabbitmq::lapin::{BasicProperties, Channel, Connection, ConnectionProperties, PublisherConfirm};

use crate::body::{EVENT_TYPE, OrderCreated};
use crate::contestant::{Contestant, Failure, Lap, Running, Stopwatch, Tally, Workload};
use crate::envelope::{Borrowed, Envelopes};
use crate::jitney::{BATCH, CALLS};

pub const CONTESTANT: Contestant = Contestant { name: "lapin", produce, consume };

/// As many events are unconfirmed as Jitney's contestant has under way.
const WINDOW: usize = BATCH * CALLS;
/// As many are unacked as an application of Jitney has by default,
const PREFETCH: u16 = 1_024;
/// and so many are acked at once.
const ACKED_AT_ONCE: u64 = 64;

async fn channel(work: &Workload) -> Result<(Connection, Channel), Failure> {
    let connection = Connection::connect(&work.address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

fn produce(work: Arc<Workload>) -> Running {
    Box::pin(async move { publish(&work).await })
}

async fn publish(work: &Workload) -> Result<Lap, Failure> {
    let (connection, channel) = channel(work).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let (exchange, key) = (ShortString::from("Order-events"), ShortString::from("Order.OrderCreated"));
    let mut envelopes = Envelopes::seeded(1);
    let mut body = Vec::new();
    let (mut waiting, mut acked) = (VecDeque::with_capacity(WINDOW), 0);
    let stopwatch = Stopwatch::start();
    for order in work.orders() {
        let envelope = envelopes.wrap(order);
        body.clear();
        serde_json::to_writer(&mut body, &envelope)?;
        let correlation = envelope.metadata.correlation_id.to_string();
        let mut headers = FieldTable::default();
        let text = |text: &str| AMQPValue::LongString(text.as_bytes().into());
        headers.insert("event-type".into(), text(EVENT_TYPE));
        headers.insert("correlation-id".into(), text(&correlation));
        headers.insert("jitney-key".into(), text(&order.order_id));
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into())
            .with_message_id(envelope.event_id.to_string().into())
            .with_type(EVENT_TYPE.into())
            .with_correlation_id(correlation.into())
            .with_timestamp(envelope.timestamp.as_second().unsigned_abs())
            .with_headers(headers);
        if waiting.len() == WINDOW {
            acked += confirmed(waiting.pop_front()).await?;
        }
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        waiting.push_back(
            channel.basic_publish(exchange.clone(), key.clone(), options, &body, properties).await?,
        );
    }
    while !waiting.is_empty() {
        acked += confirmed(waiting.pop_front()).await?;
    }
    let lap = stopwatch.lap();
    connection.close(200, "done".into()).await?;
    if acked == work.events {
        Ok(lap)
    } else {
        Err(format!("{acked} were acked, not {}", work.events).into())
    }
}

async fn confirmed(oldest: Option<PublisherConfirm>) -> Result<u64, Failure> {
    match oldest {
        Some(confirm) => Ok(u64::from(confirm.await?.is_ack())),
        None => Ok(0),
    }
}

fn consume(work: Arc<Workload>) -> Running {
    Box::pin(async move { receive(&work).await })
}

async fn receive(work: &Workload) -> Result<Lap, Failure> {
    let (connection, channel) = channel(work).await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut deliveries = channel.basic_consume(work.group().into(), "".into(), options, none).await?;
    let tally = Tally::of(work);
    while !tally.is_done() {
        let delivery = deliveries.next().await.ok_or("the consumer was ended")??;
        if !has_headers(&delivery.properties) {
            return Err("a message came without its headers".into());
        }
        let envelope: Borrowed<'_> = serde_json::from_slice(&delivery.data)?;
        let order: OrderCreated = serde_json::from_str(envelope.payload.get())?;
        tally.handle(&order);
        if delivery.delivery_tag % ACKED_AT_ONCE == 0 || tally.is_done() {
            delivery.acker.ack(BasicAckOptions { multiple: true }).await?;
        }
    }
    connection.close(200, "done".into()).await?;
    tally.lap(work)
}

/// Whether the message says of what type it is, and to which chain it belongs.
fn has_headers(properties: &BasicProperties) -> bool {
    let Some(headers) = properties.headers() else { return false };
    let has = |name: &str| headers.inner().contains_key(name);
    has("event-type") && has("correlation-id")
}
