//! What is stored as one is seen as one: batches, and outputs with the settlement of their cause.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;

use futures_util::future::{Either, join, select};
use jitney_core::transport::{Published, Settle, SettleError, Settlement, Settler, Transport};

use super::content;
use super::failure::{Failure, Outcome, ensure};
use super::member::{Got, Member};
use super::trial::{Trial, summarize};
use crate::history::EventRef;

/// A batch over two topics arrives whole; of one with a message that is too large nothing arrives.
pub(super) async fn publishes_all_or_nothing(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topics = [trial.topic(&*transport).await?, trial.topic(&*transport).await?];
    let mut member = trial.join(&transport, &trial.name("group"), &[&topics[0], &topics[1]]).await?;
    let both = |key: &str| topics.each_ref().map(|topic| EventRef::new(topic.as_str(), key, 1));
    let published = publish_as_one(trial, &*transport, &both("whole"), 0).await?;
    published.into_result()?;
    let mut came = member.consume(2).await?;
    came.sort();
    ensure!(came == both("whole"), "of a batch over two topics came {came:?}");
    if let Some(limit) = trial.capabilities.max_message_bytes {
        let published = publish_as_one(trial, &*transport, &both("refused"), limit).await?;
        let is_rejected = matches!(published, Published::Rejected(_));
        ensure!(is_rejected, "a batch with too large a message was answered with {published:?}");
    }
    // What lies behind it arrives, and nothing of it.
    trial.publish(&*transport, &both("behind")).await?;
    let mut came = member.consume(2).await?;
    came.sort();
    ensure!(came == both("behind"), "behind a batch that was refused came {came:?}");
    member.nothing(trial.quiet(), "nothing else was published").await?;
    member.leave().await
}

/// Publishes `events` as one, the last of them larger by `padding` letters.
async fn publish_as_one(
    trial: &Trial<'_>,
    transport: &dyn Transport,
    events: &[EventRef],
    padding: usize,
) -> Outcome<Published> {
    let mut batch = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let padding = if place + 1 == events.len() { padding } else { 0 };
        batch.push(content::encode(&*transport.codec(), &trial.env, event, padding)?);
        trial.recorder.publishing(event);
    }
    let published =
        trial.wait("the outcome of an atomic publish", transport.publish_atomically(batch)).await?;
    for event in events {
        trial.recorder.published(event, summarize(&published));
    }
    Ok(published)
}

/// Where outputs go.
#[derive(Clone)]
struct Outlet {
    transport: Arc<dyn Transport>,
    topic: String,
}

impl Outlet {
    fn output(&self, cause: &EventRef) -> EventRef {
        EventRef { topic: self.topic.clone(), ..cause.clone() }
    }

    /// Acks `got` with an output, again and again where that can be tried again.
    async fn settle(&self, trial: &Trial<'_>, settler: &dyn Settler, got: &Got) -> Outcome {
        let output = trial.message(&*self.transport, &self.output(&got.event))?;
        let mut call = vec![Settlement::new(got.delivery.token, Settle::Ack).with_outputs(vec![output])];
        while let Err(SettleError { failed }) = settler.settle(call).await {
            if let Some((_, error)) = failed.iter().find(|(_, error)| !error.is_retryable()) {
                let error = jitney_core::error_chain(error);
                return Err(Failure(format!("settling {} with an output failed: {error}", got.event)));
            }
            trial.env.sleep(trial.quiet() / 10).await;
            call = failed.into_iter().map(|(settlement, _)| settlement).collect();
        }
        Ok(())
    }

    /// The same for what must not wait.
    async fn settle_now(&self, trial: &Trial<'_>, member: &Member, got: &Got) -> Outcome {
        trial.wait("a settlement with an output", self.settle(trial, &*member.settler, got)).await?
    }
}

/// A group that is exactly once, and one that reads its outputs.
struct Flow {
    outlet: Outlet,
    causes: String,
    group: String,
    reader: Member,
}

impl Flow {
    async fn new(trial: &Trial<'_>) -> Outcome<Flow> {
        let transport = trial.transport().await?;
        let (causes, topic) = (trial.topic(&*transport).await?, trial.topic(&*transport).await?);
        let mut reader = trial.join(&transport, &trial.name("reader"), &[&topic]).await?;
        // From here on it is there: what it does not see has not come.
        trial.publish(&*transport, &[EventRef::new(topic.as_str(), "ready", 1)]).await?;
        reader.consume(1).await?;
        Ok(Flow { outlet: Outlet { transport, topic }, causes, group: trial.name("group"), reader })
    }

    /// A member of the group, by a connection of its own.
    async fn join(&self, trial: &Trial<'_>) -> Outcome<Member> {
        let mut subscription = trial.subscription(&self.group, &[&self.causes]);
        subscription.exactly_once = true;
        Member::join(trial, &trial.transport().await?, subscription).await
    }

    /// A member that holds three events of one key, in their order.
    async fn holding_three(&self, trial: &Trial<'_>) -> Outcome<(Member, Vec<Got>)> {
        let mut member = self.join(trial).await?;
        trial.publish(&*self.outlet.transport, &trial.events(&self.causes, 1, 3)).await?;
        let mut got = member.receive(3).await?;
        got.sort_by_key(|got| got.event.sequence);
        Ok((member, got))
    }

    /// Wants the outputs of `causes`, each once and in this order.
    async fn outputs_come(&mut self, trial: &Trial<'_>, causes: &[Got]) -> Outcome {
        for got in causes {
            let wanted = self.outlet.output(&got.event);
            let came = self.reader.next().await?;
            ensure!(
                came.event == wanted,
                "{wanted} was stored with the settlement of its cause, and {} came",
                came.event
            );
            self.reader.ack(&came).await?;
        }
        self.reader.nothing(trial.quiet(), "each output that was stored has come").await
    }

    /// Wants `settling` to wait for something earlier, and no output to be seen meanwhile.
    async fn waits(
        &mut self,
        trial: &Trial<'_>,
        settling: Pin<&mut impl Future<Output = Outcome>>,
    ) -> Outcome {
        let why = "something earlier in the partition is unsettled";
        match select(settling, pin!(self.reader.nothing(trial.quiet(), why))).await {
            Either::Left((settled, _)) => {
                settled?;
                Err(Failure(format!("{why}, but settling with an output returned")))
            }
            Either::Right((nothing, _)) => nothing,
        }
    }
}

/// The output of a delivery that is settled comes; that of one that waited when its member went comes once, with its
/// redelivery.
pub(super) async fn stores_outputs_with_settlements(trial: &Trial<'_>) -> Outcome {
    let mut flow = Flow::new(trial).await?;
    let outlet = flow.outlet.clone();
    let (member, got) = flow.holding_three(trial).await?;
    outlet.settle_now(trial, &member, &got[0]).await?;
    flow.outputs_come(trial, &got[..1]).await?;
    {
        let mut settling = pin!(outlet.settle(trial, &*member.settler, &got[2]));
        flow.waits(trial, settling.as_mut()).await?;
    }
    member.vanish();
    flow.reader.nothing(trial.quiet(), "the member went before it settled everything earlier").await?;
    let mut other = flow.join(trial).await?;
    let mut again = other.receive(2).await?;
    again.sort_by_key(|got| got.event.sequence);
    let came: Vec<_> = again.iter().map(|got| got.event.sequence).collect();
    ensure!(came == [2, 3], "of three events only the first was settled, and {came:?} came again");
    for got in &again {
        outlet.settle_now(trial, &other, got).await?;
    }
    flow.outputs_come(trial, &again).await?;
    other.leave().await?;
    flow.reader.leave().await
}

/// Settled in reverse, three events have their effects when the first is settled, and in their order.
pub(super) async fn outputs_wait_for_what_came_earlier(trial: &Trial<'_>) -> Outcome {
    let mut flow = Flow::new(trial).await?;
    let outlet = flow.outlet.clone();
    let (member, got) = flow.holding_three(trial).await?;
    {
        let mut last = pin!(outlet.settle(trial, &*member.settler, &got[2]));
        flow.waits(trial, last.as_mut()).await?;
        let middle = outlet.settle(trial, &*member.settler, &got[1]);
        let mut both = pin!(async {
            let (last, middle) = join(last, middle).await;
            last.and(middle)
        });
        flow.waits(trial, both.as_mut()).await?;
        let first = outlet.settle(trial, &*member.settler, &got[0]);
        let (first, both) = trial.wait("settlements whose turn has come", join(first, both)).await?;
        first.and(both)?;
    }
    flow.outputs_come(trial, &got).await?;
    member.leave().await?;
    // The group goes on with what is published now.
    let mut other = flow.join(trial).await?;
    let next = EventRef::new(flow.causes.as_str(), "next", 1);
    trial.publish(&*outlet.transport, std::slice::from_ref(&next)).await?;
    let came = other.next().await?;
    ensure!(came.event == next, "everything before {next} was settled, and {} came", came.event);
    outlet.settle_now(trial, &other, &came).await?;
    flow.outputs_come(trial, &[came]).await?;
    other.leave().await?;
    flow.reader.leave().await
}
