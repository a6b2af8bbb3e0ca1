//! Places: so many lanes of a group run at once. A lane that only waits (for the next attempt, a breaker, a key) gives its
//! place up meanwhile, so that events that cannot go on hold up nothing but their own lanes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

/// The places of one group's lanes, as those see them that have none at the moment.
#[derive(Default)]
pub(super) struct Places {
    /// Lanes that have given their place up and have none again.
    away: AtomicUsize,
    /// Those of them that want to go on, first come, first served.
    returning: Mutex<VecDeque<Arc<Turn>>>,
    /// Told when a place is free, or wanted back.
    lanes: AtomicWaker,
}

/// One lane's wish to go on.
#[derive(Default)]
struct Turn {
    has_come: AtomicBool,
    told: Notify,
}

impl Places {
    /// How many lanes run without having a place.
    pub(super) fn away(&self) -> usize {
        self.away.load(Ordering::Acquire)
    }

    /// Wakes `waker` when a place is free, or wanted back.
    pub(super) fn register(&self, waker: &Waker) {
        self.lanes.register(waker);
    }

    /// Gives a free place back to the lane that has waited for one the longest. Answers whether there was one.
    pub(super) fn call_back(&self) -> bool {
        if self.away() == 0 {
            return false;
        }
        let mut returning = self.returning();
        let Some(turn) = returning.pop_front() else { return false };
        turn.has_come.store(true, Ordering::Release);
        self.away.fetch_sub(1, Ordering::AcqRel);
        turn.told.notify_one();
        true
    }

    /// Waits for `work` without a place, and then for a place; keeps the place where there is nothing to wait for.
    pub(super) async fn wait_for<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
            return output;
        }
        let away = Away::leave(self);
        let output = work.await;
        away.come_back().await;
        output
    }

    fn returning(&self) -> MutexGuard<'_, VecDeque<Arc<Turn>>> {
        self.returning.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lane without a place; dropped before its turn, it wants none any more.
struct Away<'a> {
    places: &'a Places,
    turn: Arc<Turn>,
}

impl<'a> Away<'a> {
    fn leave(places: &'a Places) -> Self {
        places.away.fetch_add(1, Ordering::AcqRel);
        places.lanes.wake();
        Away { places, turn: Arc::default() }
    }

    async fn come_back(&self) {
        self.places.returning().push_back(Arc::clone(&self.turn));
        self.places.lanes.wake();
        self.turn.told.notified().await;
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        let mut returning = self.places.returning();
        if !self.turn.has_come.load(Ordering::Acquire) {
            returning.retain(|turn| !Arc::ptr_eq(turn, &self.turn));
            self.places.away.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
