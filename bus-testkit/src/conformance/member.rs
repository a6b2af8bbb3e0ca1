//! A member of a group, as checks drive it: polls its source, settles, records.

use std::collections::{BTreeSet, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jitney_core::Env;
use jitney_core::codec::Codec;
use jitney_core::dead_letter::{DeadLetter, Failure as DeadFailure, Reason};
use jitney_core::transport::{
    Delivery, Demand, Mode, Settle, Settlement, Settler, Source, SourceEvent, Subscription, Transport,
};

use super::content;
use super::failure::{Failure, Outcome, ensure};
use super::trial::Trial;
use crate::history::{Arrival, EventRef, Recorder, SettledAs};

/// As much as a member takes at once unless told otherwise.
pub(super) const DEMAND: Demand = Demand { events: 256, bytes: 16 << 20 };

/// So many interruptions in a row mean that the source will not recover.
const INTERRUPTIONS: usize = 1_000;

/// A delivery with the event that is in it.
#[derive(Debug, Clone)]
pub(super) struct Got {
    pub(super) delivery: Delivery,
    pub(super) event: EventRef,
}

pub(super) struct Member {
    pub(super) group: String,
    pub(super) name: String,
    topic: String,
    pub(super) settler: Arc<dyn Settler>,
    source: Box<dyn Source>,
    codec: Arc<dyn Codec>,
    recorder: Recorder,
    env: Env,
    patience: Duration,
    ready: VecDeque<Got>,
    releasing: Option<BoxFuture<'static, ()>>,
    interruptions: usize,
    ended: bool,
}

impl Member {
    pub(super) async fn join(
        trial: &Trial<'_>,
        transport: &Arc<dyn Transport>,
        subscription: Subscription,
    ) -> Outcome<Member> {
        let Subscription { group, mode, .. } = &subscription;
        let (group, mode) = (group.clone(), *mode);
        let topics: Vec<_> = subscription.interests.iter().map(|interest| interest.topic.clone()).collect();
        let subscribed = trial.wait("a subscription", transport.subscribe(subscription)).await??;
        let name = trial.short_name("member");
        // In broadcast mode each member owes every event, like a group of its own.
        let group = if mode == Mode::Broadcast { format!("{group}/{name}") } else { group };
        trial.recorder.joined(&group, &name, &topics.iter().map(String::as_str).collect::<Vec<_>>());
        Ok(Member {
            group,
            name,
            topic: topics.into_iter().next().unwrap_or_default(),
            settler: subscribed.settler,
            source: subscribed.source,
            codec: transport.codec(),
            recorder: trial.recorder.clone(),
            env: trial.env.clone(),
            patience: trial.fixture.patience(),
            ready: VecDeque::new(),
            releasing: None,
            interruptions: 0,
            ended: false,
        })
    }

    /// The first topic that it reads.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Polls the source until it has deliveries; `None` when no more will come.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, demand: Demand) -> Poll<Outcome<Option<Vec<Got>>>> {
        loop {
            if let Some(release) = &mut self.releasing {
                if release.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.releasing = None;
            }
            if self.ended {
                return Poll::Ready(Ok(None));
            }
            let Poll::Ready(event) = self.source.poll_next(cx, demand) else {
                return Poll::Pending;
            };
            match event {
                Ok(SourceEvent::Deliveries(deliveries)) => {
                    self.interruptions = 0;
                    let got =
                        deliveries.into_iter().map(|delivery| self.got(delivery)).collect::<Outcome<_>>();
                    return Poll::Ready(got.map(Some));
                }
                Ok(SourceEvent::Revoking { epoch, .. }) => {
                    self.recorder.revoked(&self.group, &self.name, epoch.0);
                    self.ready.retain(|got| got.delivery.epoch != epoch);
                    let settler = Arc::clone(&self.settler);
                    self.releasing = Some(Box::pin(async move { settler.release(epoch).await }));
                }
                Ok(SourceEvent::Lost { epoch }) => {
                    self.recorder.lost(&self.group, &self.name, epoch.0);
                    self.ready.retain(|got| got.delivery.epoch != epoch);
                }
                Ok(SourceEvent::Closed) => self.ended = true,
                Err(error) if error.is_retryable() && self.interruptions < INTERRUPTIONS => {
                    self.interruptions += 1
                }
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    fn got(&self, delivery: Delivery) -> Outcome<Got> {
        let event = content::decode(&*self.codec, &delivery.message)?;
        let arrival = Arrival {
            event: event.clone(),
            attempt: delivery.attempt,
            partition: delivery.partition,
            position: delivery.position.map(|position| position.0),
            epoch: delivery.token.epoch.0,
            token: delivery.token.number,
        };
        self.recorder.delivered(&self.group, &self.name, arrival);
        Ok(Got { delivery, event })
    }

    /// The deliveries of one poll with this demand, which must come.
    pub(super) async fn take(&mut self, demand: Demand) -> Outcome<Vec<Got>> {
        let (env, patience) = (self.env.clone(), self.patience);
        let polled = env.timeout(patience, poll_fn(|cx| self.poll(cx, demand))).await;
        let Ok(polled) = polled else {
            return Err(Failure(format!(
                "waited {patience:?} in vain for a delivery to group {}",
                self.group
            )));
        };
        polled?.ok_or_else(|| Failure(format!("the subscription of group {} was closed", self.group)))
    }

    /// The next delivery, which must come.
    pub(super) async fn next(&mut self) -> Outcome<Got> {
        while self.ready.is_empty() {
            let taken = self.take(DEMAND).await?;
            self.ready.extend(taken);
        }
        self.ready.pop_front().ok_or_else(|| Failure("a delivery is ready".to_owned()))
    }

    /// The next delivery, if one comes within `limit`.
    pub(super) async fn next_within(&mut self, limit: Duration) -> Outcome<Option<Got>> {
        let env = self.env.clone();
        if self.ready.is_empty() {
            match env.timeout(limit, poll_fn(|cx| self.poll(cx, DEMAND))).await {
                Ok(taken) => self.ready.extend(taken?.into_iter().flatten()),
                Err(_) => return Ok(None),
            }
        }
        Ok(self.ready.pop_front())
    }

    /// `count` deliveries, unsettled.
    pub(super) async fn receive(&mut self, count: usize) -> Outcome<Vec<Got>> {
        let mut received = Vec::with_capacity(count);
        while received.len() < count {
            let got = self.next().await.map_err(|Failure(why)| {
                Failure(format!("{} of {count} deliveries came, then: {why}", received.len()))
            })?;
            received.push(got);
        }
        Ok(received)
    }

    /// Receives and acks until `count` different events have come.
    pub(super) async fn consume(&mut self, count: usize) -> Outcome<Vec<EventRef>> {
        let mut seen = BTreeSet::new();
        let mut order = Vec::with_capacity(count);
        while order.len() < count {
            let got = self.next().await.map_err(|Failure(why)| {
                Failure(format!("{} of {count} events came, then: {why}", order.len()))
            })?;
            self.ack(&got).await?;
            if seen.insert(got.event.clone()) {
                order.push(got.event);
            }
        }
        Ok(order)
    }

    /// Wants nothing to come for `limit`.
    pub(super) async fn nothing(&mut self, limit: Duration, why: &str) -> Outcome {
        let got = self.next_within(limit).await?;
        ensure!(
            got.is_none(),
            "{why}, but {} came",
            got.map_or_else(String::new, |got| got.event.to_string())
        );
        Ok(())
    }

    pub(super) async fn ack(&self, got: &Got) -> Outcome {
        self.settle([(got, Settle::Ack)]).await
    }

    pub(super) async fn ack_all(&self, all: &[Got]) -> Outcome {
        self.settle(all.iter().map(|got| (got, Settle::Ack))).await
    }

    pub(super) async fn retry(&self, got: &Got, after: Duration) -> Outcome {
        self.settle([(got, Settle::Retry { after })]).await
    }

    /// Stores the delivery beside, as a handler's permanent failure.
    pub(super) async fn dead_letter(&self, got: &Got) -> Outcome {
        let failure = DeadFailure::new(Reason::Permanent, &self.group, self.env.now(), "card declined")
            .of_handler("charge", got.delivery.attempt);
        let letter = DeadLetter { delivery: got.delivery.clone(), failure };
        self.settle([(got, Settle::DeadLetter(Box::new(letter)))]).await
    }

    /// Settles in one call, and records the answers.
    pub(super) async fn settle<'g>(&self, all: impl IntoIterator<Item = (&'g Got, Settle)>) -> Outcome {
        let mut asked = Vec::new();
        let mut settlements = Vec::new();
        for (got, settle) in all {
            let kind = match &settle {
                Settle::Ack => SettledAs::Ack,
                Settle::Retry { .. } => SettledAs::Retry,
                Settle::DeadLetter(_) => SettledAs::DeadLetter,
            };
            asked.push((got.delivery.token, kind));
            settlements.push(Settlement::new(got.delivery.token, settle));
        }
        let answer = self.env.timeout(self.patience, self.settler.settle(settlements)).await;
        let Ok(answer) = answer else {
            return Err(Failure(format!("waited {:?} in vain for a settlement", self.patience)));
        };
        let failed = answer.err().map(|error| error.failed).unwrap_or_default();
        for (token, kind) in asked {
            let ok = !failed.iter().any(|(of, _)| of.token == token);
            self.recorder.settled(&self.group, &self.name, (token.epoch.0, token.number), kind, ok);
        }
        match failed.into_iter().next() {
            Some((_, error)) if !error.is_retryable() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Leaves the group in order.
    pub(super) async fn leave(self) -> Outcome {
        self.recorder.left(&self.group, &self.name);
        let left = self.env.timeout(self.patience, self.settler.leave(self.patience)).await;
        left.map_err(|_| Failure(format!("waited {:?} in vain for a member to leave", self.patience)))??;
        Ok(())
    }

    /// Goes without a word: drops both halves.
    pub(super) fn vanish(self) {
        self.recorder.left(&self.group, &self.name);
    }

    /// Drops the source and keeps the settler, with which deliveries of an epoch that is over can be settled.
    pub(super) fn drop_source(self) -> Arc<dyn Settler> {
        self.recorder.left(&self.group, &self.name);
        self.settler
    }
}
