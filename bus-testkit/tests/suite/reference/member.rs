//! The two halves of a subscription.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::transport::{
    Delivery, Demand, Epoch, Position, Settle, SettleError, Settlement, Settler, Source, SourceEvent, Token,
};
use jitney_core::{Error, ErrorKind};

use super::{Broker, InFlight, SETTLE_WITHIN};

#[derive(Clone)]
pub(super) struct Half {
    pub(super) broker: Broker,
    pub(super) group: String,
    pub(super) member: u64,
}

pub(super) struct ReferenceSource {
    pub(super) half: Half,
    pub(super) prefetch: usize,
    pub(super) timer: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Source for ReferenceSource {
    fn poll_next(&mut self, cx: &mut Context<'_>, demand: Demand) -> Poll<Result<SourceEvent, Error>> {
        let Half { broker, group, member } = &self.half;
        let (mut guard, now) = (broker.state(), broker.1.instant());
        let state = &mut *guard;
        state.wakers.push(cx.waker().clone());
        let Some(group) = state.groups.get_mut(group) else { return Poll::Ready(Ok(SourceEvent::Closed)) };
        group.give_back(|one| one.deadline <= now);
        let Some(this) = group.members.get_mut(member) else { return Poll::Ready(Ok(SourceEvent::Closed)) };
        if this.closed {
            return Poll::Ready(Ok(SourceEvent::Closed));
        }
        if std::mem::take(&mut this.interrupted) {
            return Poll::Ready(Err(Error::new(ErrorKind::Transport, "the connection broke")));
        }
        let epoch = this.epoch;
        let held = group.in_flight.values().filter(|one| one.member == *member).count();
        let most = demand.events.min(self.prefetch.saturating_sub(held));
        let ready = if demand.wants_deliveries() { group.ready(*member, now, most) } else { Vec::new() };
        let mut deliveries = Vec::new();
        for place in ready {
            let entry = group.waiting.remove(&place).unwrap();
            state.counter += 1;
            let token = Token { epoch: Epoch(epoch), number: state.counter };
            let delivery = Delivery::new(Arc::clone(&entry.message), token);
            deliveries.push(delivery.at(0, Position(place.0 as u64)).attempt(entry.attempt));
            group
                .in_flight
                .insert(token, InFlight { place, entry, member: *member, deadline: now + SETTLE_WITHIN });
        }
        if !deliveries.is_empty() {
            return Poll::Ready(Ok(SourceEvent::Deliveries(deliveries)));
        }
        if let Some(at) = group.next_change(now) {
            let env = broker.1.clone();
            let mut timer: Pin<Box<dyn Future<Output = ()> + Send>> =
                Box::pin(async move { env.sleep(at - now).await });
            if timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
            self.timer = Some(timer);
        }
        Poll::Pending
    }
}

impl Drop for ReferenceSource {
    fn drop(&mut self) {
        self.half.broker.state().remove(&self.half.group, self.half.member);
    }
}

pub(super) struct ReferenceSettler(pub(super) Half);

#[async_trait]
impl Settler for ReferenceSettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        let now = self.0.broker.1.instant();
        let mut state = self.0.broker.state();
        let Some(group) = state.groups.get_mut(&self.0.group) else { return Ok(()) };
        for Settlement { token, settle, .. } in settlements {
            let Some(InFlight { place, mut entry, .. }) = group.in_flight.remove(&token) else { continue };
            match settle {
                Settle::Ack => {}
                Settle::Retry { after } => {
                    entry.attempt += 1;
                    entry.not_before = Some(now + after);
                    group.waiting.insert(place, entry);
                }
                Settle::DeadLetter(letter) => group.dead.push(letter.to_message("dead".into())),
            }
        }
        state.wake();
        Ok(())
    }

    async fn keep_alive(&self, tokens: &[Token]) -> Result<(), Error> {
        let deadline = self.0.broker.1.instant() + SETTLE_WITHIN;
        let mut state = self.0.broker.state();
        let Some(group) = state.groups.get_mut(&self.0.group) else { return Ok(()) };
        for token in tokens {
            if let Some(one) = group.in_flight.get_mut(token) {
                one.deadline = deadline;
            }
        }
        Ok(())
    }

    async fn release(&self, _epoch: Epoch) {}

    async fn leave(&self, _limit: Duration) -> Result<(), Error> {
        self.0.broker.state().remove(&self.0.group, self.0.member);
        Ok(())
    }
}
