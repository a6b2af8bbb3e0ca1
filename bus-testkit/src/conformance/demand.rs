//! How much is handed out at once.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use jitney_core::transport::Demand;

use super::failure::{Failure, Outcome, ensure};
use super::member::{DEMAND, Got, Member};
use super::trial::Trial;

/// A member with `count` events waiting for it.
async fn waiting(trial: &Trial<'_>, count: usize, prefetch: usize) -> Outcome<Member> {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let group = trial.name("group");
    let mut subscription = trial.subscription(&group, &[&topic]);
    subscription.prefetch = prefetch;
    let member = Member::join(trial, &transport, subscription).await?;
    trial.publish(&*transport, &trial.events(&topic, count, count)).await?;
    Ok(member)
}

pub(super) async fn gives_nothing_without_demand(trial: &Trial<'_>) -> Outcome {
    let mut member = waiting(trial, 20, 100).await?;
    let polled = trial.env.timeout(trial.quiet(), poll_fn(|cx| member.poll(cx, Demand::NOTHING))).await;
    ensure!(
        polled.is_err(),
        "something came with a demand of nothing: {:?}",
        polled.map(|got| got.map(|got| got.map(|got| got.len())))
    );
    member.consume(20).await?;
    member.leave().await
}

pub(super) async fn gives_no_more_than_demanded(trial: &Trial<'_>) -> Outcome {
    let mut member = waiting(trial, 60, 100).await?;
    let mut received = 0;
    while received < 60 {
        let events = 1 + trial.random(7);
        let got = member.take(Demand { events, ..DEMAND }).await?;
        ensure!(got.len() <= events, "{} deliveries came with a demand of {events}", got.len());
        member.ack_all(&got).await?;
        received += got.len();
    }
    member.leave().await
}

pub(super) async fn keeps_to_its_batches(trial: &Trial<'_>) -> Outcome {
    let Some(most) = trial.capabilities.max_batch else { return Ok(()) };
    let count = (4 * most).min(2_000);
    let mut member = waiting(trial, count, count).await?;
    let mut received = 0;
    while received < count {
        let got = member.take(Demand { events: count, ..DEMAND }).await?;
        ensure!(got.len() <= most, "{} deliveries came at once, and the backend says {most}", got.len());
        member.ack_all(&got).await?;
        received += got.len();
    }
    member.leave().await
}

/// With nothing settled, no more than the prefetch comes; settling lets as many follow.
pub(super) async fn keeps_to_the_prefetch(trial: &Trial<'_>) -> Outcome {
    let mut member = waiting(trial, 40, 10).await?;
    let mut held: Vec<Got> = member.receive(10).await?;
    member.nothing(trial.quiet(), "10 deliveries are unsettled and the prefetch is 10").await?;
    let mut received = 10;
    while received < 40 {
        let settled = held.remove(trial.random(held.len()));
        member.ack(&settled).await?;
        held.push(member.next().await?);
        received += 1;
        ensure!(held.len() <= 10, "{} deliveries are unsettled and the prefetch is 10", held.len());
    }
    member.ack_all(&held).await?;
    member.leave().await
}

/// The reader turns away again and again, with and without demand.
pub(super) async fn cancelled_polls_lose_nothing(trial: &Trial<'_>) -> Outcome {
    let mut member = waiting(trial, 200, 1_000).await?;
    let mut received = BTreeSet::new();
    while received.len() < 200 {
        let glance = Demand { events: trial.random(3), ..DEMAND };
        let polled = match member.poll(&mut Context::from_waker(Waker::noop()), glance) {
            Poll::Ready(polled) => polled?.unwrap_or_default(),
            Poll::Pending => {
                let came = member.take(Demand { events: 1 + trial.random(3), ..DEMAND }).await;
                came.map_err(|Failure(why)| {
                    Failure(format!(
                        "{} of 200 events came to a reader that turned away, then: {why}",
                        received.len()
                    ))
                })?
            }
        };
        member.ack_all(&polled).await?;
        received.extend(polled.into_iter().map(|got| got.event));
    }
    member.leave().await?;
    trial.judge(&trial.expectations())?;
    Ok(())
}
