//! The handled side of a run: the handler every contestant calls, and the pace of a publisher
//! whose queue has no bound of its own.
//!
//! What a handler does is the same for all: fold the order into a checksum, count, and wake whoever
//! waits for that count. A run is over when the last event is counted, and is good only if count
//! and checksum are the expected ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::body::OrderCreated;

/// How many events a paced publisher sends before it lets the handlers run, where they share its
/// thread. It is the operations budget after which a tokio channel makes a task yield: a contestant
/// on a bounded channel gets this for free, and the events in flight stay in the cache. Where the
/// handlers have a thread of their own a yield only costs, and a paced publisher makes none.
const BURST: u64 = 128;

/// Counts handled events and folds them into a checksum.
#[derive(Debug, Default)]
pub struct Tally {
    handled: AtomicU64,
    checksum: AtomicU64,
    wake_at: AtomicU64,
    reached: Notify,
}

impl Tally {
    pub fn shared() -> Arc<Self> {
        Arc::default()
    }

    /// The handler's work for one event.
    ///
    /// `SeqCst` pairs with [`Self::until`]: either the waiter sees this count, or this sees the
    /// count the waiter waits for.
    #[inline]
    pub fn handle(&self, order: &OrderCreated) {
        self.checksum.fetch_add(order.checksum(), Ordering::Relaxed);
        let handled = self.handled.fetch_add(1, Ordering::SeqCst) + 1;
        if handled == self.wake_at.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
    }

    /// Resolves once `count` events have been handled. One waiter at a time.
    pub async fn until(&self, count: u64) {
        self.wake_at.store(count, Ordering::SeqCst);
        while self.handled.load(Ordering::SeqCst) < count {
            self.reached.notified().await;
        }
    }

    pub fn handled(&self) -> u64 {
        self.handled.load(Ordering::SeqCst)
    }

    pub fn checksum(&self) -> u64 {
        self.checksum.load(Ordering::SeqCst)
    }
}

/// Holds a publisher to a window of events in flight, for a contestant whose queue is unbounded.
///
/// It costs a comparison per event, and once a burst a look at the count and perhaps a wait. Bursts
/// and waits are what suited such a contestant best on either runtime.
#[derive(Debug)]
pub struct Pace {
    tally: Arc<Tally>,
    window: u64,
    burst: u64,
    yields: bool,
    stop_at: u64,
}

impl Pace {
    /// A pace for a publisher on the runtime this is called on.
    pub fn new(tally: Arc<Tally>, window: u64) -> Self {
        let yields = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
        let burst = if yields { window.min(BURST) } else { window };
        Self { tally, window, burst, yields, stop_at: burst }
    }

    /// Waits, if it must, before the publish of event number `next` (from zero).
    #[inline]
    pub async fn before(&mut self, next: u64) {
        if next == self.stop_at {
            self.pause(next).await;
        }
    }

    async fn pause(&mut self, published: u64) {
        if self.yields {
            yield_now().await;
        }
        if published - self.tally.handled() >= self.window {
            self.tally.until(published - self.window / 2).await;
        }
        let room = self.window - (published - self.tally.handled());
        self.stop_at = published + room.min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::body;

    #[test]
    fn a_paced_publisher_never_exceeds_its_window() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for window in [1, 2, 100, 1_024] {
            runtime.block_on(publish_paced(window, 5_000));
        }
    }

    async fn publish_paced(window: u64, events: u64) {
        let tally = Tally::shared();
        let (queue, mut queued) = mpsc::unbounded_channel();
        let consumer = tokio::spawn({
            let tally = Arc::clone(&tally);
            async move {
                let order = body::orders().swap_remove(0);
                while queued.recv().await.is_some() {
                    tally.handle(&order);
                }
            }
        });
        let mut pace = Pace::new(Arc::clone(&tally), window);
        for published in 0..events {
            pace.before(published).await;
            assert!(published - tally.handled() < window, "window {window}, event {published}");
            queue.send(()).unwrap();
        }
        tally.until(events).await;
        drop(queue);
        consumer.await.unwrap();
    }
}
