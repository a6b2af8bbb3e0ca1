//! What is published arrives, and is answered for truly.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_util::future::{join, join_all, try_join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jitney_core::transport::{Published, Transport};

use super::content;
use super::failure::{Failure, Outcome, ensure};
use super::trial::{Trial, summarize};
use crate::history::{EventRef, PublishOutcome};

pub(super) async fn delivers_what_was_published(trial: &Trial<'_>) -> Outcome {
    delivers(trial, 10, 100).await
}

pub(super) async fn delivers_10_000_events(trial: &Trial<'_>) -> Outcome {
    delivers(trial, 100, 10_000).await
}

async fn delivers(trial: &Trial<'_>, keys: usize, count: usize) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let mut member = trial.join(&transport, &trial.name("group"), &[&topic]).await?;
    let events = trial.events(&topic, keys, count);
    let (published, consumed) = join(trial.publish(&*transport, &events), member.consume(count)).await;
    published?;
    consumed?;
    member.nothing(trial.quiet(), "everything was settled").await?;
    member.leave().await?;
    trial.judge(&trial.expectations())?;
    Ok(())
}

pub(super) async fn delivers_from_20_topics(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let mut topics = Vec::new();
    for _ in 0..20 {
        topics.push(trial.topic(&*transport).await?);
    }
    let names: Vec<_> = topics.iter().map(String::as_str).collect();
    let mut member = trial.join(&transport, &trial.name("group"), &names).await?;
    let publishes = topics.iter().map(|topic| {
        let events = trial.events(topic, 5, 25);
        let transport = &*transport;
        async move { trial.publish(transport, &events).await }
    });
    try_join_all(publishes).await?;
    member.consume(20 * 25).await?;
    member.leave().await?;
    trial.judge(&trial.expectations())?;
    Ok(())
}

pub(super) async fn keeps_order_per_key(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let mut member = trial.join(&transport, &trial.name("group"), &[&topic]).await?;
    let events = trial.events(&topic, 16, 16 * 40);
    let (in_batches, one_by_one) = events.split_at(events.len() / 2);
    trial.publish(&*transport, in_batches).await?;
    for event in one_by_one {
        let message = trial.message(&*transport, event)?;
        let outcome = trial.wait("the outcome of a publish", transport.publish_one(message)).await?;
        trial.recorder.published(event, summarize(&outcome));
        outcome.into_result()?;
    }
    member.consume(events.len()).await?;
    member.leave().await?;
    let summary = trial.judge(&trial.expectations().ordered(true))?;
    trial.observe("out of order", summary.out_of_order);
    Ok(())
}

/// A message that is too large lies in the middle of a batch: only its own outcome is a rejection.
pub(super) async fn answers_each_event_in_order(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let mut member = trial.join(&transport, &trial.name("group"), &[&topic]).await?;
    let events = trial.events(&topic, 3, 9);
    let large = trial.capabilities.max_message_bytes.map(|limit| (events.len() / 3, limit + 1));
    let mut batch = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let padding = large.filter(|(large, _)| *large == place).map_or(0, |(_, bytes)| bytes);
        batch.push(content::encode(&*transport.codec(), &trial.env, event, padding)?);
    }
    let outcomes = trial.wait("the outcomes of a publish", transport.publish(batch)).await?;
    let seen: Vec<_> = outcomes.iter().map(summarize).collect();
    let wanted: Vec<_> = (0..events.len())
        .map(|place| match large {
            Some((large, _)) if large == place => PublishOutcome::Rejected,
            _ => PublishOutcome::Acked,
        })
        .collect();
    ensure!(seen == wanted, "the outcomes of a batch were {seen:?}, not {wanted:?}");
    for (event, outcome) in events.iter().zip(seen) {
        trial.recorder.published(event, outcome);
    }
    member.consume(wanted.iter().filter(|outcome| **outcome == PublishOutcome::Acked).count()).await?;
    member.leave().await?;
    trial.judge(&trial.expectations())?;
    Ok(())
}

pub(super) async fn rejects_what_is_too_large(trial: &Trial<'_>) -> Outcome {
    let Some(limit) = trial.capabilities.max_message_bytes else { return Ok(()) };
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let event = EventRef::new(topic, "large", 1);
    let message = content::encode(&*transport.codec(), &trial.env, &event, limit)?;
    let outcome = trial.wait("the outcome of a publish", transport.publish_one(message)).await?;
    let rejected = matches!(outcome, Published::Rejected(_));
    ensure!(rejected, "more than {limit} bytes were answered with {outcome:?}, not with a rejection");
    Ok(())
}

/// Ten thousand publishes at once, and then close: what was acked is there.
pub(super) async fn loses_nothing_published_before_close(trial: &Trial<'_>) -> Outcome {
    let (reader, writer) = (trial.transport().await?, trial.transport().await?);
    let topic = trial.topic(&*reader).await?;
    let mut member = trial.join(&reader, &trial.name("group"), &[&topic]).await?;
    let events = trial.events(&topic, 10_000, 10_000);
    let outcomes = trial
        .wait("10,000 publishes", join_all(events.iter().map(|event| one(trial, &*writer, event))))
        .await?;
    let acked = count_acked(outcomes)?;
    ensure!(acked == events.len(), "{acked} of {} publishes were acked", events.len());
    trial.wait("closing", writer.close(trial.fixture.patience())).await??;
    member.consume(acked).await?;
    member.leave().await?;
    trial.judge(&trial.expectations().ordered(false))?;
    Ok(())
}

/// Closing while publishes are under way: each is answered, and what was acked is there.
pub(super) async fn close_sends_what_is_buffered(trial: &Trial<'_>) -> Outcome {
    let (reader, writer) = (trial.transport().await?, trial.transport().await?);
    let topic = trial.topic(&*reader).await?;
    let mut member = trial.join(&reader, &trial.name("group"), &[&topic]).await?;
    let events = trial.events(&topic, 500, 500);
    let publishes = join_all(events.iter().map(|event| one(trial, &*writer, event)));
    let both = join(publishes, writer.close(trial.fixture.patience()));
    let (outcomes, closed) = trial.wait("closing while publishing", both).await?;
    closed?;
    member.consume(count_acked(outcomes)?).await?;
    member.leave().await?;
    trial.judge_any(&trial.expectations().ordered(false))?;
    Ok(())
}

async fn one(trial: &Trial<'_>, transport: &dyn Transport, event: &EventRef) -> Outcome<PublishOutcome> {
    let message = trial.message(transport, event)?;
    trial.recorder.publishing(event);
    let outcome = summarize(&transport.publish_one(message).await);
    trial.recorder.published(event, outcome);
    Ok(outcome)
}

fn count_acked(outcomes: Vec<Outcome<PublishOutcome>>) -> Outcome<usize> {
    let outcomes: Vec<_> = outcomes.into_iter().collect::<Outcome<_>>()?;
    Ok(outcomes.into_iter().filter(|outcome| *outcome == PublishOutcome::Acked).count())
}

pub(super) async fn publish_after_close_is_an_error(trial: &Trial<'_>) -> Outcome {
    let (open, closed) = (trial.transport().await?, trial.transport().await?);
    let topic = trial.topic(&*open).await?;
    trial.wait("closing", closed.close(trial.fixture.patience())).await??;
    let message = trial.message(&*closed, &EventRef::new(topic, "late", 1))?;
    let outcome = trial.wait("the outcome of a publish", closed.publish_one(message)).await?;
    ensure!(!matches!(outcome, Published::Acked), "a publish was acked after close");
    Ok(())
}

pub(super) async fn closes_once_for_all(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let _member = trial.join(&transport, &trial.name("group"), &[&topic]).await?;
    trial.publish(&*transport, &trial.events(&topic, 5, 50)).await?;
    let closes = join_all((0..10).map(|_| transport.close(trial.fixture.patience())));
    for closed in trial.wait("ten closes at once", closes).await? {
        closed?;
    }
    trial.wait("closing again", transport.close(trial.fixture.patience())).await??;
    Ok(())
}

/// Publishes are dropped after a few polls: their outcomes are unknown, those of the others hold.
pub(super) async fn dropped_publishes_harm_no_others(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let mut member = trial.join(&transport, &trial.name("group"), &[&topic]).await?;
    let events = trial.events(&topic, 200, 200);
    let mut kept = FuturesUnordered::new();
    let mut acked = 0;
    for (place, event) in events.iter().enumerate() {
        if place % 2 == 0 {
            kept.push(one(trial, &*transport, event));
            continue;
        }
        let dropped = pin!(one(trial, &*transport, event));
        if let Poll::Ready(outcome) = dropped.poll(&mut Context::from_waker(Waker::noop())) {
            acked += usize::from(outcome? == PublishOutcome::Acked);
        }
    }
    while let Some(outcome) = trial.wait("the outcome of a publish", kept.next()).await? {
        ensure!(outcome? == PublishOutcome::Acked, "a publish failed beside others that were dropped");
        acked += 1;
    }
    let mut owed: BTreeSet<_> = events.iter().step_by(2).cloned().collect();
    let mut received = 0;
    while !owed.is_empty() || received < acked {
        let got = member.next().await.map_err(|Failure(why)| {
            Failure(format!("{received} of {acked} acked events came, then: {why}"))
        })?;
        member.ack(&got).await?;
        owed.remove(&got.event);
        received += 1;
    }
    while let Some(got) = member.next_within(trial.quiet()).await? {
        member.ack(&got).await?;
    }
    member.leave().await?;
    trial.judge_any(&trial.expectations().ordered(false))?;
    Ok(())
}
