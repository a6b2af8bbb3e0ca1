//! The heart of consuming: deliveries in, settlements out. The subscription's loop calls it with whatever the source
//! has; a function that is invoked with a batch (AWS Lambda) calls [`Dispatcher::run_batch`].

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::held::{Held, Released};
use super::lanes::{LaneId, Lanes};
use super::process::{Decided, Fate, Finished, Item};
use super::router::Destination;
use super::{Group, GroupStats};
use crate::dead_letter::{DeadLetter, Reason};
use crate::error_chain;
use crate::publish::Bus;
use crate::transport::{Delivery, Epoch, Interest, Settle, Settlement};

/// Runs the handlers of one group for deliveries that are handed in.
pub struct Dispatcher {
    group: Arc<Group>,
    lanes: Lanes,
    held: Held,
    done: Vec<Decided>,
}

impl Dispatcher {
    pub(crate) fn new(group: Arc<Group>) -> Self {
        let (lanes, held) = (Lanes::new(Arc::clone(&group)), Held::new(Arc::clone(&group)));
        Dispatcher { lanes, held, group, done: Vec::new() }
    }

    /// The group's full name.
    pub fn group(&self) -> &str {
        &self.group.name
    }

    /// The bus that the group is on.
    pub fn bus(&self) -> &Bus {
        &self.group.bus
    }

    /// Topics and event types that the group has handlers for.
    pub fn interests(&self) -> &[Interest] {
        &self.group.interests
    }

    /// What the group has done so far.
    pub fn stats(&self) -> GroupStats {
        self.group.counters.snapshot()
    }

    /// Runs `deliveries` and answers what became of them, in the order in which they were decided. What is not decided
    /// within `limit` is dropped and missing in the answer: it is to be delivered again.
    ///
    /// The settlements are to be carried out by the caller; nothing is settled before its outputs are published. Dead
    /// letters are the caller's to store; [`dead_letter_stored`](Self::dead_letter_stored) counts and reports them. Batches may
    /// run side by side: no lane is shared between them.
    ///
    /// # Cancellation
    ///
    /// Dropping the future abandons the handlers that run; their events are to be delivered again.
    pub async fn run_batch(&self, deliveries: Vec<Delivery>, limit: Duration) -> Vec<Settlement> {
        // Dropped with this future, and everything that runs in it.
        let mut batch = Dispatcher::new(Arc::clone(&self.group));
        let mut deliveries = Some(deliveries);
        let finished = poll_fn(|cx| {
            for delivery in deliveries.take().into_iter().flatten() {
                batch.push(cx, delivery);
            }
            batch.poll(cx);
            if batch.is_idle() { Poll::Ready(()) } else { Poll::Pending }
        });
        // What is not done by then is missing in the answer.
        let _ = self.group.bus.env().timeout(limit, finished).await;
        batch.take_done().into_iter().filter_map(Decided::into_settlement).collect()
    }

    /// Counts a dead letter that the caller has stored, and calls the `on_dead_letter` hooks.
    pub fn dead_letter_stored(&self, letter: &DeadLetter) {
        self.group.dead_letter_stored(letter);
    }

    /// Takes one delivery; it may be decided at once.
    pub(crate) fn push(&mut self, cx: &mut Context<'_>, delivery: Delivery) {
        if !self.held.is_empty() {
            let lane = self.lanes.lane_of(&delivery);
            if self.held.has(lane) {
                return self.held.add(lane, delivery);
            }
        }
        self.route(cx, None, delivery, false);
    }

    /// Takes the first delivery of its lane, which is `lane` where that is known. Answers whether the lane is held for it.
    fn route(
        &mut self,
        cx: &mut Context<'_>,
        lane: Option<LaneId>,
        delivery: Delivery,
        prepared: bool,
    ) -> bool {
        let (token, bytes) = (delivery.token, delivery.message.size());
        let settle = match self.group.router.route(&**self.group.bus.codec(), &delivery, prepared) {
            Destination::Handle(route, event) => {
                let done = &mut self.done;
                let finish = &mut |finished| collect(done, finished);
                self.lanes.push(cx, route, Item { delivery, event }, finish);
                return false;
            }
            Destination::Prepare(preparation) => {
                let lane = lane.unwrap_or_else(|| self.lanes.lane_of(&delivery));
                self.held.hold(lane, delivery, preparation);
                return true;
            }
            Destination::Skip => {
                self.group.counters.skipped();
                Settle::Ack
            }
            Destination::DeadLetter(reason, error) => {
                let failure = self.group.failure(reason, error);
                self.group.dead_letter(delivery, failure)
            }
        };
        self.done.push(Decided { token, bytes, fate: Fate::Settle(settle) });
        false
    }

    /// Goes on with those of held deliveries whose turn it is.
    fn poll_held(&mut self, cx: &mut Context<'_>) {
        while let Some((lane, Released { delivery, prepared })) = self.held.poll(cx) {
            let mut is_held = match prepared {
                Some(Err(error)) => {
                    let (token, bytes) = (delivery.token, delivery.message.size());
                    let failure = self.group.failure(Reason::Undecodable, error_chain(&error));
                    let fate = Fate::Settle(self.group.dead_letter(delivery, failure));
                    self.done.push(Decided { token, bytes, fate });
                    false
                }
                prepared => self.route(cx, Some(lane), delivery, prepared.is_some()),
            };
            while !is_held && let Some(delivery) = self.held.next(lane) {
                is_held = self.route(cx, Some(lane), delivery, false);
            }
        }
    }

    /// Goes on with what runs.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        if !self.held.is_empty() {
            self.poll_held(cx);
        }
        let done = &mut self.done;
        self.lanes.poll(cx, &mut |finished| collect(done, finished));
    }

    /// What was decided since it was last asked for.
    pub(super) fn take_done(&mut self) -> Vec<Decided> {
        std::mem::take(&mut self.done)
    }

    pub(crate) fn has_done(&self) -> bool {
        !self.done.is_empty()
    }

    /// How many lanes run.
    pub(crate) fn running(&self) -> usize {
        self.lanes.running()
    }

    /// Whether nothing runs and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.lanes.is_idle() && self.held.is_empty()
    }

    /// Drops what has not been started: of `epoch`, or all of it.
    pub(crate) fn drop_queued(&mut self, epoch: Option<Epoch>, dropped: &mut impl FnMut(&Delivery)) {
        let unwanted = |delivery: &Delivery| epoch.is_none_or(|epoch| delivery.epoch == epoch);
        self.held.drop_queued(unwanted, dropped);
        self.lanes.drop_queued(unwanted, dropped);
    }

    /// Drops everything of `epoch`, running or not.
    pub(crate) fn abort(&mut self, epoch: Epoch) {
        self.drop_queued(Some(epoch), &mut |_| {});
        self.lanes.abort(epoch);
    }
}

fn collect(done: &mut Vec<Decided>, finished: Finished) {
    done.push(finished.first);
    done.extend(finished.rest);
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").field("group", &self.group.name).finish_non_exhaustive()
    }
}
