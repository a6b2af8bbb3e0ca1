//! A group of handlers: everything that does not change while it runs.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::{Counters, Router};
use crate::dead_letter::{DeadLetter, Failure, Reason};
use crate::handler::States;
use crate::panic_message;
use crate::processed::ProcessedEvents;
use crate::publish::Bus;
use crate::transport::{Delivery, Interest, Settle};

/// Is told of every dead letter.
pub(crate) type DeadLetterHook = Arc<dyn Fn(&DeadLetter) + Send + Sync>;

/// How much a group takes on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many lanes run at once.
    pub concurrency: usize,
    /// At most so many events are fetched and not settled.
    pub events: usize,
    /// Fetching stops when the events that are not settled take so many bytes.
    pub bytes: usize,
}

impl Default for Limits {
    /// 16 lanes, 1,024 events, 16 MiB.
    fn default() -> Self {
        Limits { concurrency: 16, events: 1024, bytes: 16 << 20 }
    }
}

/// A group of handlers on one bus.
pub(crate) struct Group {
    pub(crate) name: String,
    /// The name, with that of the bus where it is not the application's own.
    pub(crate) label: String,
    pub(crate) bus: Bus,
    pub(crate) router: Router,
    pub(crate) interests: Vec<Interest>,
    pub(crate) limits: Limits,
    pub(crate) states: Arc<States>,
    pub(crate) processed: Arc<dyn ProcessedEvents>,
    pub(crate) on_dead_letter: Vec<DeadLetterHook>,
    pub(crate) counters: Counters,
    /// One lane a partition, not one a key: what batch handlers need to get events that follow on each other.
    pub(crate) lane_per_partition: bool,
    /// Outputs are stored with the settlement, not before it.
    pub(crate) exactly_once: bool,
    pub(crate) keys_in_work: Arc<KeysInWork>,
    /// So many members run.
    pub(crate) running: AtomicUsize,
}

impl Group {
    /// Gives `delivery` up.
    pub(crate) fn dead_letter(&self, delivery: Delivery, failure: Failure) -> Settle {
        tracing::warn!(
            group = self.name,
            topic = %delivery.message.topic,
            reason = failure.reason.as_str(),
            handler = failure.handler,
            attempts = failure.attempts,
            error = failure.error,
            "a delivery becomes a dead letter",
        );
        let dead_letter = DeadLetter { delivery, failure };
        Settle::DeadLetter(Box::new(dead_letter))
    }

    /// Counts and reports dead letters that are stored.
    pub(crate) fn dead_letter_stored(&self, dead_letter: &DeadLetter) {
        self.counters.dead_lettered(dead_letter.failure.reason);
        for hook in &self.on_dead_letter {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| hook(dead_letter))) {
                let error = panic_message(&*panic);
                tracing::error!(group = self.name, error, "an `on_dead_letter` hook panicked");
            }
        }
    }

    /// A failure of this group, now.
    pub(crate) fn failure(&self, reason: Reason, error: impl Into<String>) -> Failure {
        Failure::new(reason, &self.name, self.bus.env().now(), error)
    }
}

/// The idempotency keys that are being worked on in this process, so that two lanes never handle one at once.
#[derive(Debug, Default)]
pub(crate) struct KeysInWork {
    held: Mutex<HashSet<String>>,
    freed: Notify,
}

/// A key that nobody else works on while this is held.
pub(crate) struct KeyGuard {
    keys: Arc<KeysInWork>,
    key: String,
}

impl KeysInWork {
    /// Takes `key`, unless somebody works on it. Never waits: who waits while holding other keys could wait for ever.
    pub(crate) fn enter(self: &Arc<Self>, key: String) -> Option<KeyGuard> {
        self.lock().insert(key.clone()).then(|| KeyGuard { keys: Arc::clone(self), key })
    }

    /// Waits until some key is free that was held when this was called.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyGuard {
    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        self.keys.lock().remove(&self.key);
        self.keys.freed.notify_waiters();
    }
}
