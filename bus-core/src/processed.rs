//! Which events a group has handled: what `idempotent` asks.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{Env, Error};

/// By what a group recognises what it has handled: the id of an event, or a natural key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ProcessedKey<'a> {
    /// The id, or the handler's name with the natural key. It may come from outside, and be of any length.
    pub text: &'a str,
    /// Whether it is a natural key: other events can carry it, however much later.
    pub is_natural: bool,
}

impl<'a> ProcessedKey<'a> {
    /// The id `id` of an event.
    pub fn event_id(id: &'a str) -> Self {
        ProcessedKey { text: id, is_natural: false }
    }

    /// The natural key `key`.
    pub fn natural(key: &'a str) -> Self {
        ProcessedKey { text: key, is_natural: true }
    }
}

/// Remembers which events (or natural keys) a group has handled.
#[async_trait]
pub trait ProcessedEvents: fmt::Debug + Send + Sync + 'static {
    /// Whether it forgets everything when the process ends. An application refuses to use one that does so, unless
    /// asked for by name, on a bus that does not forget.
    fn forgets_on_restart(&self) -> bool;

    /// Whether `group` has handled `key`.
    ///
    /// # Errors
    ///
    /// When the store does not answer; the event is then tried again.
    async fn contains(&self, group: &str, key: ProcessedKey<'_>) -> Result<bool, Error>;

    /// Keeps in mind that `group` has handled `key`. Called behind the handler and its outputs, before settling.
    ///
    /// # Errors
    ///
    /// When the store does not answer; it is then asked again, without running the handler again.
    async fn mark(&self, group: &str, key: ProcessedKey<'_>) -> Result<(), Error>;
}

/// Remembers in this process, up to a number of events and an age: an event that comes again later than that is
/// handled again.
pub struct MemoryProcessedEvents {
    env: Env,
    capacity: usize,
    max_age: Duration,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    keys: HashSet<Box<str>>,
    by_age: VecDeque<(Instant, Box<str>)>,
}

impl MemoryProcessedEvents {
    /// Remembers the last 100,000 events of up to a day, all groups together.
    pub fn new(env: Env) -> Self {
        MemoryProcessedEvents::with_bounds(env, 100_000, Duration::from_secs(24 * 3600))
    }

    /// Remembers the last `capacity` events of up to `max_age`, all groups together.
    pub fn with_bounds(env: Env, capacity: usize, max_age: Duration) -> Self {
        MemoryProcessedEvents { env, capacity, max_age, inner: Mutex::default() }
    }

    /// How many events it remembers.
    pub fn len(&self) -> usize {
        self.lock().keys.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        self.forget_beyond_bounds(&mut inner);
        inner
    }

    fn forget_beyond_bounds(&self, inner: &mut Inner) {
        let now = self.env.instant();
        while let Some((since, _)) = inner.by_age.front()
            && (inner.by_age.len() > self.capacity || now.duration_since(*since) > self.max_age)
        {
            if let Some((_, key)) = inner.by_age.pop_front() {
                inner.keys.remove(&key);
            }
        }
    }
}

fn joined(group: &str, key: &str) -> Box<str> {
    format!("{group}\0{key}").into()
}

#[async_trait]
impl ProcessedEvents for MemoryProcessedEvents {
    fn forgets_on_restart(&self) -> bool {
        true
    }

    async fn contains(&self, group: &str, key: ProcessedKey<'_>) -> Result<bool, Error> {
        Ok(self.lock().keys.contains(&joined(group, key.text)))
    }

    async fn mark(&self, group: &str, key: ProcessedKey<'_>) -> Result<(), Error> {
        let key = joined(group, key.text);
        let since = self.env.instant();
        let mut inner = self.lock();
        if inner.keys.insert(key.clone()) {
            inner.by_age.push_back((since, key));
        }
        self.forget_beyond_bounds(&mut inner);
        Ok(())
    }
}

impl fmt::Debug for MemoryProcessedEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryProcessedEvents")
            .field("capacity", &self.capacity)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn forgets_the_oldest_beyond_its_capacity() {
        let processed = MemoryProcessedEvents::with_bounds(Env::seeded(1), 2, Duration::from_secs(60));
        for key in ["a", "b", "c"] {
            processed.mark("g", ProcessedKey::event_id(key)).await.unwrap();
        }
        assert_eq!(processed.len(), 2);
        assert!(!processed.contains("g", ProcessedKey::event_id("a")).await.unwrap());
        assert!(processed.contains("g", ProcessedKey::event_id("c")).await.unwrap());
        assert!(!processed.contains("other", ProcessedKey::event_id("c")).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn forgets_what_is_older_than_its_age() {
        let env = Env::seeded(1);
        let processed = MemoryProcessedEvents::with_bounds(env.clone(), 100, Duration::from_secs(60));
        processed.mark("g", ProcessedKey::event_id("a")).await.unwrap();
        env.sleep(Duration::from_secs(59)).await;
        assert!(processed.contains("g", ProcessedKey::event_id("a")).await.unwrap());
        env.sleep(Duration::from_secs(2)).await;
        assert!(!processed.contains("g", ProcessedKey::event_id("a")).await.unwrap());
    }
}
