//! Lanes: the events of one key wait for each other, and those of different keys do not.
//!
//! A lane is made when an event of its key arrives and dropped when the last one is done. At most `concurrency` lanes
//! run at once; those that have more to do queue up behind the others, and those that only wait do not count.
//!
//! Lanes run inside the group's own task, which is the cheapest way for handlers that wait for I/O or do little. A
//! handler that keeps the processor busy is noticed, and from then on runs in tasks of its own, on all processors.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use rapidhash::RapidHashMap;
use rapidhash::fast::RapidHasher;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::places::Places;
use super::process::{Finished, Item, process};
use super::{Group, Route};
use crate::transport::{Delivery, Epoch};

/// Names a lane. Two keys of one hash share a lane, which costs them time and never order.
pub(super) type LaneId = u64;

/// A handler that takes longer than this without waiting for anything gets tasks of its own.
const BUSY: Duration = Duration::from_micros(200);

/// One event in so many is run in place and timed, of a handler that is taken for a quick one,
const SAMPLE_OF_QUICK: u64 = 16;
/// and of one that is taken for a busy one.
const SAMPLE_OF_BUSY: u64 = 256;

struct Queued {
    route: Arc<Route>,
    item: Item,
}

struct Running {
    lane: LaneId,
    epoch: Epoch,
    work: BoxFuture<'static, Finished>,
}

impl Future for Running {
    type Output = (LaneId, Finished);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let lane = self.lane;
        self.work.as_mut().poll(cx).map(|finished| (lane, finished))
    }
}

/// A run in a task of its own, which ends with this.
struct OwnTask(JoinHandle<Finished>);

impl Future for OwnTask {
    type Output = Finished;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Finished> {
        match self.0.poll_unpin(cx) {
            Poll::Ready(Ok(finished)) => Poll::Ready(finished),
            Poll::Ready(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            // The runtime is going down, and the group's task with it.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for OwnTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The lanes of one group.
pub(super) struct Lanes {
    group: Arc<Group>,
    /// The lanes that run or wait to run, each with what waits in it.
    queues: RapidHashMap<LaneId, VecDeque<Queued>>,
    waiting: VecDeque<LaneId>,
    running: FuturesUnordered<Running>,
    places: Arc<Places>,
    unkeyed: u64,
    pushed: u64,
}

impl Lanes {
    pub(super) fn new(group: Arc<Group>) -> Self {
        Lanes {
            group,
            queues: RapidHashMap::default(),
            waiting: VecDeque::new(),
            running: FuturesUnordered::new(),
            places: Arc::default(),
            unkeyed: 0,
            pushed: 0,
        }
    }

    /// Puts an item into its lane, and runs it where the lane and a place are free.
    pub(super) fn push(
        &mut self,
        cx: &mut Context<'_>,
        route: Arc<Route>,
        item: Item,
        done: &mut impl FnMut(Finished),
    ) {
        let lane = self.lane_of(&item.delivery);
        if let Some(queue) = self.queues.get_mut(&lane) {
            queue.push_back(Queued { route, item });
        } else if self.has_place() && route.batch.is_none() {
            // Most handlers that do no I/O are done at the first poll: they need no lane at all.
            let timed = self.timed(&route);
            let mut running = self.start(lane, route, item, Vec::new(), timed.is_some());
            match Pin::new(&mut running).poll(cx) {
                Poll::Ready((_, finished)) => {
                    if let Some((route, since)) = timed {
                        route.load.note(self.group.bus.env().instant() - since > BUSY);
                    }
                    done(finished);
                }
                Poll::Pending => {
                    self.queues.insert(lane, VecDeque::new());
                    self.running.push(running);
                }
            }
        } else {
            self.queues.insert(lane, VecDeque::from([Queued { route, item }]));
            self.waiting.push_back(lane);
        }
    }

    /// Goes on with what runs and what waits.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, done: &mut impl FnMut(Finished)) {
        self.places.register(cx.waker());
        loop {
            self.fill();
            match self.running.poll_next_unpin(cx) {
                Poll::Ready(Some((lane, finished))) => {
                    done(finished);
                    self.leave(lane);
                }
                Poll::Ready(None) | Poll::Pending => return,
            }
        }
    }

    /// How many lanes run.
    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// Whether nothing runs and nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Drops what waits and has not been started, where `unwanted` says so; answers how many that were by epoch and size.
    pub(super) fn drop_queued(
        &mut self,
        unwanted: impl Fn(&Delivery) -> bool,
        dropped: &mut impl FnMut(&Delivery),
    ) {
        for queue in self.queues.values_mut() {
            queue.retain(|queued| {
                let drop = unwanted(&queued.item.delivery);
                if drop {
                    dropped(&queued.item.delivery);
                }
                !drop
            });
        }
        let queues = &mut self.queues;
        self.waiting.retain(|lane| match queues.get(lane) {
            Some(queue) if queue.is_empty() => {
                queues.remove(lane);
                false
            }
            _ => true,
        });
    }

    /// Drops what runs under `epoch`, wherever it is.
    pub(super) fn abort(&mut self, epoch: Epoch) {
        for running in std::mem::take(&mut self.running) {
            if running.epoch == epoch {
                self.leave(running.lane);
            } else {
                self.running.push(running);
            }
        }
    }

    fn start(
        &self,
        lane: LaneId,
        route: Arc<Route>,
        first: Item,
        rest: Vec<Item>,
        in_place: bool,
    ) -> Running {
        let epoch = first.delivery.epoch;
        let own_task = route.load.is_busy() && !in_place;
        let work = process(Arc::clone(&self.group), route, Arc::clone(&self.places), first, rest);
        let work: BoxFuture<'static, Finished> =
            if own_task { Box::pin(OwnTask(self.group.bus.env().spawn(work))) } else { Box::pin(work) };
        Running { lane, epoch, work }
    }

    /// When a run begins that is to be timed.
    fn timed(&mut self, route: &Arc<Route>) -> Option<(Arc<Route>, Instant)> {
        self.pushed += 1;
        let every = if route.load.is_busy() { SAMPLE_OF_BUSY } else { SAMPLE_OF_QUICK };
        let sampled = self.pushed.is_multiple_of(every);
        sampled.then(|| (Arc::clone(route), self.group.bus.env().instant()))
    }

    /// Whether one more lane may run; those that only wait do not count.
    fn has_place(&self) -> bool {
        self.running.len().saturating_sub(self.places.away()) < self.group.limits.concurrency
    }

    fn fill(&mut self) {
        while self.has_place() {
            if self.places.call_back() {
                continue;
            }
            let Some(lane) = self.waiting.pop_front() else { return };
            let Some(Queued { route, item }) = self.queues.get_mut(&lane).and_then(VecDeque::pop_front)
            else {
                continue;
            };
            let rest = self.more_of_the_batch(lane, &route, &item);
            let running = self.start(lane, route, item, rest, false);
            self.running.push(running);
        }
    }

    /// What follows in the lane for the same batch handler, up to the batch's size.
    fn more_of_the_batch(&mut self, lane: LaneId, route: &Arc<Route>, first: &Item) -> Vec<Item> {
        let (Some(size), Some(queue)) = (route.batch, self.queues.get_mut(&lane)) else { return Vec::new() };
        let mut rest = Vec::new();
        while rest.len() + 1 < size
            && let Some(next) = queue.pop_front_if(|next| {
                Arc::ptr_eq(&next.route, route) && next.item.delivery.epoch == first.delivery.epoch
            })
        {
            rest.push(next.item);
        }
        rest
    }

    /// A run of `lane` is over: it queues up again, or is dropped.
    fn leave(&mut self, lane: LaneId) {
        if self.queues.get(&lane).is_some_and(|queue| !queue.is_empty()) {
            self.waiting.push_back(lane);
        } else {
            self.queues.remove(&lane);
        }
    }

    /// The lane of `delivery`: one without a key gets one of its own each time.
    pub(super) fn lane_of(&mut self, delivery: &Delivery) -> LaneId {
        let mut hasher = RapidHasher::default();
        (&*delivery.message.topic, delivery.partition).hash(&mut hasher);
        if !self.group.lane_per_partition {
            match &delivery.message.key {
                Some(key) => key.hash(&mut hasher),
                None => {
                    self.unkeyed += 1;
                    self.unkeyed.hash(&mut hasher);
                }
            }
        }
        hasher.finish()
    }
}
