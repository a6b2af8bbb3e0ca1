//! Publishing at a steady rate, whatever happens meanwhile, and for as long as it happens.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use jitney::Bus;
use serde::{Deserialize, Serialize};

use super::events::Happened;

/// Keys are parted among so many publishers, each of which waits for its own answers: so keys keep their order.
const PUBLISHERS: u64 = 4;
const KEYS_EACH: u64 = 16;

/// How long each publisher waits between two batches.
const TICK: Duration = Duration::from_millis(20);

/// Of its events a publisher has one in so many left when it hears that it is over, or publishes as many more.
const AFTERWARDS: u64 = 6;

/// What is to be published, and how fast.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Load {
    /// Prefix of the keys: publishers that run together must differ.
    pub(crate) keys: String,
    /// So many at least.
    pub(crate) events: u64,
    pub(crate) per_second: u64,
    /// How many bytes longer than needed each event is.
    pub(crate) padding: usize,
}

impl Load {
    pub(crate) fn new(events: u64, per_second: u64) -> Self {
        Load { keys: "key".to_owned(), events, per_second, padding: 0 }
    }

    /// Publishes all of it, and goes on until it is `over`, and a little longer: whatever is broken meanwhile, on a machine as
    /// slow as may be, is broken in the middle. Answers how many it were. What is not acked is not tried again: its outcome is
    /// in the records.
    pub(crate) async fn publish(&self, bus: &Bus, over: &AtomicBool) -> u64 {
        let parts = (0..PUBLISHERS).map(|publisher| self.publish_part(bus, publisher, over));
        join_all(parts).await.into_iter().sum()
    }

    async fn publish_part(&self, bus: &Bus, publisher: u64, over: &AtomicBool) -> u64 {
        let before = |publisher| self.events * publisher / PUBLISHERS;
        let share = before(publisher + 1) - before(publisher);
        let each = (self.per_second * TICK.as_millis() as u64 / 1000 / PUBLISHERS).max(1);
        let mut ticks = tokio::time::interval(TICK);
        let (mut next, mut end) = (0, None);
        loop {
            ticks.tick().await;
            if end.is_none() && over.load(Ordering::Relaxed) {
                end = Some(share.max(next + share / AFTERWARDS));
            }
            let until = end.map_or(next + each, |end| end.min(next + each));
            if until == next {
                return next;
            }
            let batch: Vec<_> = self.batch(publisher, next..until).collect();
            next = until;
            // The error says which ones failed, and so do the records.
            let _ = bus.publish_all(&batch).await;
        }
    }

    fn batch(&self, publisher: u64, numbers: Range<u64>) -> impl Iterator<Item = Happened> {
        numbers.map(move |number| Happened {
            key: format!("{}-{publisher}-{}", self.keys, number % KEYS_EACH),
            sequence: number / KEYS_EACH + 1,
            padding: noise(self.padding),
        })
    }
}

/// Text that does not become much shorter when it is compressed.
fn noise(length: usize) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.alphanumeric()).take(length).collect()
}
