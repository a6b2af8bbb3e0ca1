//! Faults on the way from the broker, and on the way back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use jitney_core::Error;
use jitney_core::dead_letter::DeadLetter;
use jitney_core::message::Outbound;
use jitney_core::transport::{
    Delivery, Demand, Epoch, Settle, SettleError, Settlement, Settler, Source, SourceEvent, Subscribed, Token,
};

use super::{Fault, Outstanding, Wires};

const EVERYTHING: Demand = Demand { events: 1_000, bytes: usize::MAX };

/// What the two halves of one broken subscription share.
pub(crate) struct BrokenHalves {
    fault: Fault,
    group: String,
    wires: Arc<Wires>,
    settler: Arc<dyn Settler>,
    /// Of this member.
    mine: Outstanding,
    /// Of all members of the transport.
    outstanding: Outstanding,
    settled: Mutex<Vec<Delivery>>,
    extra: Mutex<VecDeque<Delivery>>,
    /// Outputs whose settlements the member has asked for.
    kept: Mutex<Vec<Outbound>>,
    waker: Mutex<Option<Waker>>,
}

impl BrokenHalves {
    pub(crate) fn around(
        inner: Subscribed,
        fault: Fault,
        group: String,
        wires: &Arc<Wires>,
        outstanding: &Outstanding,
    ) -> Subscribed {
        let shared = Arc::new(BrokenHalves {
            fault,
            group,
            wires: Arc::clone(wires),
            settler: inner.settler,
            mine: Arc::default(),
            outstanding: Arc::clone(outstanding),
            settled: Mutex::default(),
            extra: Mutex::default(),
            kept: Mutex::default(),
            waker: Mutex::default(),
        });
        let settler = Arc::new(BrokenSettler(Arc::clone(&shared)));
        let source = BrokenSource { inner: inner.source, shared, stash: None, delivered: 0 };
        Subscribed { source: Box::new(source), settler }
    }

    /// Delivers once more, under a token that nobody knows.
    fn again(&self, mut delivery: Delivery) {
        delivery.token.number += 1 << 40;
        self.extra.lock().unwrap().push_back(delivery);
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }

    fn note(&self, delivery: &Delivery) {
        let entry = (delivery.clone(), Arc::clone(&self.settler));
        self.mine.lock().unwrap().insert(delivery.token, entry.clone());
        self.outstanding.lock().unwrap().insert(delivery.token, entry);
        let place = self.place(delivery);
        self.wires.live.lock().unwrap().insert(place, (delivery.token, Arc::clone(&self.settler)));
    }

    async fn publish_beside(&self, outputs: Vec<Outbound>) {
        let transport = self.wires.beside.get().unwrap();
        transport.publish(outputs).await.into_iter().for_each(|one| one.into_result().unwrap());
    }

    fn place(&self, delivery: &Delivery) -> (String, String, u64) {
        let position = delivery.position.map_or(0, |position| position.0);
        (self.group.clone(), delivery.message.topic.to_string(), position)
    }
}

pub(crate) async fn ack_outstanding(outstanding: &Outstanding) {
    let all: Vec<_> = outstanding.lock().unwrap().drain().collect();
    for (token, (_, settler)) in all {
        settler.settle(vec![Settlement::new(token, Settle::Ack)]).await.unwrap();
    }
}

struct BrokenSource {
    inner: Box<dyn Source>,
    shared: Arc<BrokenHalves>,
    /// What was taken for a reader, and by which waker it will be fetched.
    stash: Option<(Waker, Vec<Delivery>)>,
    delivered: u64,
}

impl Source for BrokenSource {
    fn poll_next(&mut self, cx: &mut Context<'_>, demand: Demand) -> Poll<Result<SourceEvent, Error>> {
        *self.shared.waker.lock().unwrap() = Some(cx.waker().clone());
        if demand.wants_deliveries()
            && let Some(extra) = self.shared.extra.lock().unwrap().pop_front()
        {
            return Poll::Ready(Ok(SourceEvent::Deliveries(vec![extra])));
        }
        let fault = self.shared.fault;
        if let Some((waker, deliveries)) = self.stash.take() {
            // The reader that it was taken for has gone: so has what was taken.
            if waker.will_wake(cx.waker()) {
                return Poll::Ready(Ok(SourceEvent::Deliveries(deliveries)));
            }
        }
        let asked = match fault {
            Fault::IgnoresDemand => EVERYTHING,
            Fault::GivesTooMuch if demand.wants_deliveries() => EVERYTHING,
            _ => demand,
        };
        match self.inner.poll_next(cx, asked) {
            Poll::Ready(Ok(SourceEvent::Deliveries(mut deliveries))) => {
                self.tamper(&mut deliveries);
                if fault == Fault::LosesOnCancelledPoll && self.delivered.is_multiple_of(5) {
                    self.stash = Some((cx.waker().clone(), deliveries));
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Ok(SourceEvent::Deliveries(deliveries)))
            }
            other => other,
        }
    }
}

impl BrokenSource {
    fn tamper(&mut self, deliveries: &mut [Delivery]) {
        deliveries.iter().for_each(|delivery| self.shared.note(delivery));
        self.delivered += 1;
        match self.shared.fault {
            Fault::CountsWrongly => deliveries.iter_mut().for_each(|delivery| delivery.attempt = 1),
            Fault::DeliversTwice => {
                deliveries.first().into_iter().for_each(|one| self.shared.again(one.clone()))
            }
            Fault::InventsDeliveries => {
                // One digit of the body is another: an event that nobody published.
                let mut invented = deliveries[0].clone();
                let message = Arc::make_mut(&mut invented.message);
                let body =
                    String::from_utf8_lossy(&message.body).replace("\"sequence\":1", "\"sequence\":91");
                message.body = body.into_bytes().into();
                self.shared.again(invented);
            }
            _ => {}
        }
    }
}

impl Drop for BrokenSource {
    fn drop(&mut self) {
        if self.shared.fault == Fault::LosesUnsettledOnDrop {
            // The transport inside settles without waiting.
            ack_outstanding(&self.shared.mine).now_or_never().unwrap();
        }
        let kept = std::mem::take(&mut *self.shared.kept.lock().unwrap());
        // So does it publish.
        self.shared.publish_beside(kept).now_or_never().unwrap();
    }
}

struct BrokenSettler(Arc<BrokenHalves>);

#[async_trait]
impl Settler for BrokenSettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        let mut altered = Vec::new();
        for settlement in settlements {
            self.alter(settlement, &mut altered).await;
        }
        self.0.settler.settle(altered).await
    }

    async fn keep_alive(&self, tokens: &[Token]) -> Result<(), Error> {
        match self.0.fault {
            Fault::IgnoresKeepAlive => Ok(()),
            _ => self.0.settler.keep_alive(tokens).await,
        }
    }

    async fn release(&self, epoch: Epoch) {
        self.0.settler.release(epoch).await;
    }

    async fn leave(&self, limit: Duration) -> Result<(), Error> {
        if self.0.fault == Fault::LosesUnsettledOnLeave {
            ack_outstanding(&self.0.mine).await;
        }
        self.0.settler.leave(limit).await
    }
}

impl BrokenSettler {
    async fn alter(&self, settlement: Settlement, altered: &mut Vec<Settlement>) {
        let Settlement { token, mut settle, mut outputs, .. } = settlement;
        let shared = &self.0;
        let known = shared.mine.lock().unwrap().get(&token).map(|(delivery, _)| delivery.clone());
        let before = shared.settled.lock().unwrap().iter().any(|delivery| delivery.token == token);
        match (shared.fault, &mut settle) {
            (Fault::IgnoresRetry, Settle::Retry { .. })
            | (Fault::LosesDeadLetters, Settle::DeadLetter(_)) => settle = Settle::Ack,
            (Fault::IgnoresDelay, Settle::Retry { after }) => *after = Duration::ZERO,
            (Fault::StripsDeadLetters, Settle::DeadLetter(letter)) => strip(letter),
            (Fault::RepeatsDeadLetters, Settle::DeadLetter(_)) => {
                settle = Settle::Retry { after: Duration::ZERO }
            }
            (Fault::SettlesTwice, Settle::Retry { .. }) if before => {
                known.clone().into_iter().for_each(|delivery| shared.again(delivery));
            }
            (Fault::SettlesAllBefore, Settle::Ack) => {
                let tokens: Vec<_> = shared.mine.lock().unwrap().keys().copied().collect();
                let lower = tokens.into_iter().filter(|other| other.number < token.number);
                altered.extend(lower.map(|token| Settlement::new(token, Settle::Ack)));
            }
            (Fault::DeliversAfterAck, Settle::Ack) if token.number.is_multiple_of(7) => {
                known.clone().into_iter().for_each(|delivery| shared.again(delivery));
            }
            (Fault::IgnoresEpoch, Settle::Ack) => {
                let live = known.as_ref().and_then(|delivery| {
                    shared.wires.live.lock().unwrap().get(&shared.place(delivery)).cloned()
                });
                if let Some((token, settler)) = live {
                    settler.settle(vec![Settlement::new(token, Settle::Ack)]).await.unwrap();
                }
            }
            (Fault::StoresOutputsAtOnce, _) => shared.publish_beside(std::mem::take(&mut outputs)).await,
            (Fault::OutputsOutliveTheirMember, _) => shared.kept.lock().unwrap().extend(outputs.clone()),
            (Fault::LosesOutputs, _) => outputs.clear(),
            _ => {}
        }
        if shared.fault != Fault::LosesUnsettledOnDrop || known.is_some() {
            shared.outstanding.lock().unwrap().remove(&token);
        }
        if let Some(delivery) = known {
            shared.settled.lock().unwrap().push(delivery);
        }
        altered.push(Settlement::new(token, settle).with_outputs(outputs));
    }
}

fn strip(letter: &mut DeadLetter) {
    Arc::make_mut(&mut letter.delivery.message).headers.clear();
}
