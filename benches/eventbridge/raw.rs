//! Loops over the AWS SDK that do equal work: entries of the same shape, ten a request; messages received and deleted ten at a
//! time.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use jitney::eventbridge::aws_sdk_eventbridge::config::{BehaviorVersion, Credentials, Region};
use jitney::eventbridge::aws_sdk_eventbridge::primitives::DateTime;
use jitney::eventbridge::aws_sdk_eventbridge::types::PutEventsRequestEntry;
use jitney::eventbridge::aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use jitney::eventbridge::aws_smithy_http_client::Builder as HttpClients;
use jitney::eventbridge::aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use jitney::eventbridge::{aws_sdk_eventbridge, aws_sdk_sqs};
use serde::{Deserialize, Serialize};

use crate::body::{EVENT_TYPE, OrderCreated};
use crate::contestant::{Contestant, Failure, Lap, Running, Stopwatch, Tally, Workload};
use crate::envelope::Envelopes;

pub const CONTESTANT: Contestant = Contestant { name: "aws-sdk", produce, consume };

/// So many requests are under way, as in Jitney's transport by default.
const REQUESTS: usize = 8;
/// The most that a request carries.
const AT_ONCE: usize = 10;

/// What an entry carries: the payload's fields, and the envelope beside them.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(flatten)]
    payload: &'a OrderCreated,
    metadata: Metadata,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    event_id: String,
    aggregate_id: String,
    timestamp: String,
    version: u32,
    correlation_id: String,
    causation_id: String,
}

/// What a message carries.
#[derive(Deserialize)]
struct Body {
    detail: OrderCreated,
}

/// Both clients, on one pool of connections.
struct Clients {
    events: aws_sdk_eventbridge::Client,
    queues: aws_sdk_sqs::Client,
}

fn clients(work: &Workload) -> Result<Clients, Failure> {
    let endpoint = work.address.split(['?', '&']).find_map(|part| part.strip_prefix("endpoint="));
    let endpoint = endpoint.ok_or("the URL names no endpoint")?;
    let http = HttpClients::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let (region, credentials) =
        (Region::new("us-east-1"), Credentials::new("test", "test", None, None, "bench"));
    let events = aws_sdk_eventbridge::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http.clone())
        .endpoint_url(endpoint)
        .region(region.clone())
        .credentials_provider(credentials.clone());
    let queues = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .endpoint_url(endpoint)
        .region(region)
        .credentials_provider(credentials);
    Ok(Clients {
        events: aws_sdk_eventbridge::Client::from_conf(events.build()),
        queues: aws_sdk_sqs::Client::from_conf(queues.build()),
    })
}

fn produce(work: Arc<Workload>) -> Running {
    Box::pin(async move { publish(&work).await })
}

async fn publish(work: &Workload) -> Result<Lap, Failure> {
    let Clients { events, .. } = clients(work)?;
    let mut envelopes = Envelopes::seeded(1);
    let stopwatch = Stopwatch::start();
    let orders: Vec<&OrderCreated> = work.orders().collect();
    let requests = stream::iter(orders.chunks(AT_ONCE)).map(|orders| {
        let entries: Result<Vec<_>, _> = orders.iter().map(|order| entry(&mut envelopes, order)).collect();
        let events = &events;
        async move {
            let answer = events.put_events().set_entries(Some(entries?)).send().await?;
            match answer.failed_entry_count() {
                0 => Ok::<_, Failure>(answer.entries().len() as u64),
                failed => Err(format!("{failed} entries failed").into()),
            }
        }
    });
    let acked = requests.buffer_unordered(REQUESTS).try_fold(0, async |all, some| Ok(all + some)).await?;
    let lap = stopwatch.lap();
    if acked == work.events {
        Ok(lap)
    } else {
        Err(format!("{acked} were acked, not {}", work.events).into())
    }
}

fn entry(envelopes: &mut Envelopes, order: &OrderCreated) -> Result<PutEventsRequestEntry, Failure> {
    let envelope = envelopes.wrap(order);
    let metadata = Metadata {
        event_id: envelope.event_id.to_string(),
        aggregate_id: envelope.aggregate_id.clone(),
        timestamp: envelope.timestamp.to_string(),
        version: envelope.version,
        correlation_id: envelope.metadata.correlation_id.to_string(),
        causation_id: envelope.metadata.causation_id.to_string(),
    };
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name("default")
        .source("bench.Order")
        .detail_type(EVENT_TYPE)
        .time(DateTime::from_millis(envelope.timestamp.as_millisecond()))
        .detail(serde_json::to_string(&Detail { payload: order, metadata })?);
    Ok(entry.build())
}

fn consume(work: Arc<Workload>) -> Running {
    Box::pin(async move { receive(&work).await })
}

async fn receive(work: &Workload) -> Result<Lap, Failure> {
    let Clients { queues, .. } = clients(work)?;
    let name = work.group().replace('.', "-");
    let url = queues.get_queue_url().queue_name(name).send().await?;
    let url = url.queue_url().ok_or("the queue has no URL")?;
    let tally = Tally::of(work);
    let loops = stream::iter(0..REQUESTS).map(|_| one_after_the_other(&queues, url, &tally));
    loops.buffer_unordered(REQUESTS).try_collect::<()>().await?;
    tally.lap(work)
}

async fn one_after_the_other(queues: &aws_sdk_sqs::Client, url: &str, tally: &Tally) -> Result<(), Failure> {
    while !tally.is_done() {
        let received = queues.receive_message().queue_url(url).max_number_of_messages(10).send().await?;
        let mut done = Vec::new();
        for message in received.messages() {
            let body: Body = serde_json::from_str(message.body().unwrap_or_default())?;
            tally.handle(&body.detail);
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(done.len().to_string())
                .set_receipt_handle(message.receipt_handle().map(str::to_owned));
            done.push(entry.build()?);
        }
        if !done.is_empty() {
            let deleted = queues.delete_message_batch().queue_url(url).set_entries(Some(done)).send().await?;
            if !deleted.failed().is_empty() {
                return Err(format!("{} messages were not deleted", deleted.failed().len()).into());
            }
        }
    }
    Ok(())
}
