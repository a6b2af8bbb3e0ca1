//! What arrives is what was published: byte by byte, or event by event where the backend writes JSON anew.

use std::future::poll_fn;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::codec::Codec;
use jitney_core::message::{Header, Message, Outbound, Topic};
use jitney_core::transport::{Delivery, Demand, Settle, Settlement, SourceEvent, Subscribed, Transport};

use super::content;
use super::failure::{Failure, Outcome, ensure};
use super::trial::Trial;
use crate::history::EventRef;

pub(super) async fn carries_messages_whole(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let mut outbound = trial.message(&*transport, &EventRef::new(topic, "whole", 1))?;
    outbound.message.headers.push(Header::new("tenant", "a"));
    outbound.message.headers.push(Header::new("note", "gr\u{fc}\u{df}e \u{1f44b}"));
    round_trip(trial, &*transport, vec![outbound]).await
}

pub(super) async fn carries_any_bytes(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topic = Topic::from(trial.topic(&*transport).await?);
    let time = Timestamp::from_millisecond(trial.env.now().as_millisecond()).unwrap_or_default();
    let message = |key: Option<&'static [u8]>, headers: Vec<Header>, body: Bytes| Outbound {
        message: Message { topic: topic.clone(), key: key.map(Bytes::from_static), headers, time, body },
        attributes: None,
    };
    let binary = |length: usize| (0..length).map(|_| trial.random(256) as u8).collect::<Bytes>();
    let repeated = ["one", "two", "one"].map(|value| Header::new("repeated", value)).to_vec();
    let bytes = vec![Header::new("bytes", &b"\xff\xfe\x00\x80"[..]), Header::new("empty", "")];
    let batch = vec![
        message(Some(b"binary"), Vec::new(), binary(1_000)),
        message(Some(b"empty"), Vec::new(), Bytes::new()),
        message(Some(b"repeated"), repeated, binary(10)),
        message(Some(b"\xff\x00\xfe"), bytes, binary(10)),
        message(None, Vec::new(), Bytes::from_static(b"no key")),
    ];
    round_trip(trial, &*transport, batch).await
}

pub(super) async fn carries_large_messages(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let limit = trial.capabilities.max_message_bytes;
    let mut sizes = vec![64 << 10];
    sizes.extend(limit.map(|limit| limit - 16));
    for size in sizes.into_iter().filter(|size| limit.is_none_or(|limit| *size <= limit)) {
        let event = EventRef::new(trial.topic(&*transport).await?, "large", 1);
        let bare = content::encode(&*transport.codec(), &trial.env, &event, 1)?.message.size() - 1;
        let message = content::encode(&*transport.codec(), &trial.env, &event, size.saturating_sub(bare))?;
        round_trip(trial, &*transport, vec![message]).await?;
    }
    Ok(())
}

/// Publishes messages of one topic and compares what comes with them, in any order.
async fn round_trip(trial: &Trial<'_>, transport: &dyn Transport, batch: Vec<Outbound>) -> Outcome {
    let sent: Vec<_> = batch.iter().map(|outbound| outbound.message.clone()).collect();
    let Some(topic) = sent.first().map(|message| message.topic.to_string()) else { return Ok(()) };
    let subscription = trial.subscription(&trial.name("group"), &[&topic]);
    let mut subscribed = trial.wait("a subscription", transport.subscribe(subscription)).await??;
    for outcome in trial.wait("the outcomes of a publish", transport.publish(batch)).await? {
        outcome.into_result()?;
    }
    let mut missing = sent;
    while !missing.is_empty() {
        let delivery = trial.wait("a message that was published", receive(&mut subscribed)).await??;
        let message = &delivery.message;
        let Some(place) = closest(&missing, message) else {
            return Err(Failure(format!("a message came that is like none that was published: {message:?}")));
        };
        compare(trial, &*transport.codec(), &missing.remove(place), message)?;
        settle(&subscribed, &delivery).await?;
    }
    subscribed.settler.leave(trial.fixture.patience()).await?;
    Ok(())
}

/// The message that was most likely sent: the same body, or else the same key.
fn closest(missing: &[Message], came: &Message) -> Option<usize> {
    let same_body = missing.iter().position(|sent| sent.body == came.body && sent.key == came.key);
    same_body
        .or_else(|| {
            missing.iter().position(|sent| sent.key == came.key && came.body.len() <= sent.body.len())
        })
        .or_else(|| missing.iter().position(|sent| sent.body == came.body))
        .or_else(|| missing.iter().position(|sent| sent.key == came.key))
}

fn compare(trial: &Trial<'_>, codec: &dyn Codec, sent: &Message, came: &Message) -> Outcome {
    ensure!(came.topic == sent.topic, "published to {}, delivered from {}", sent.topic, came.topic);
    ensure!(came.key == sent.key, "published with the key {:?}, delivered with {:?}", sent.key, came.key);
    ensure!(came.time == sent.time, "published at {}, delivered as of {}", sent.time, came.time);
    if trial.fixture.carries_any_bytes() {
        let (body, of) = (came.body.len(), sent.body.len());
        ensure!(came.body == sent.body, "a body of {of} bytes came as other {body} bytes");
    } else {
        let (sent, came) = (content::read(codec, sent)?, content::read(codec, came)?);
        ensure!(came == sent, "an event was published as {sent:?}, and came as {came:?}");
    }
    let ours = |header: &&Header| sent.headers.iter().any(|sent| sent.name == header.name);
    let headers: Vec<_> = came.headers.iter().filter(ours).cloned().collect();
    ensure!(
        headers == sent.headers,
        "published with the headers {:?}, delivered with {headers:?}",
        sent.headers
    );
    Ok(())
}

async fn receive(subscribed: &mut Subscribed) -> Outcome<Delivery> {
    let demand = Demand { events: 1, bytes: usize::MAX };
    loop {
        match poll_fn(|cx| subscribed.source.poll_next(cx, demand)).await {
            Ok(SourceEvent::Deliveries(deliveries)) => {
                if let Some(delivery) = deliveries.into_iter().next() {
                    return Ok(delivery);
                }
            }
            Ok(SourceEvent::Revoking { epoch, .. }) => subscribed.settler.release(epoch).await,
            Ok(SourceEvent::Lost { .. }) => {}
            Ok(SourceEvent::Closed) => return Err(Failure("the subscription was closed".to_owned())),
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn settle(subscribed: &Subscribed, delivery: &Delivery) -> Outcome {
    let settlement = Settlement::new(delivery.token, Settle::Ack);
    let settled = subscribed.settler.settle(vec![settlement]).await;
    settled.map_err(|error| Failure(format!("acking a delivery failed: {error:?}")))
}
