//! An outbox in memory, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Backlog, OutboxEvent, OutboxStore, ParkedEvent, PendingEvent, Shard, Share};
use crate::message::Message;
use crate::{Env, Error};

/// Keeps events in this process; clones share them. It is part of no transaction.
#[derive(Debug, Clone, Default)]
pub struct MemoryOutbox {
    env: Env,
    inner: Arc<Mutex<Inner>>,
    news: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    events: BTreeMap<u64, Entry>,
    owners: BTreeMap<String, Instant>,
    shards: BTreeMap<Shard, String>,
}

#[derive(Debug)]
struct Entry {
    shard: Shard,
    message: Message,
    error: Option<String>,
}

impl MemoryOutbox {
    /// An empty outbox.
    pub fn new() -> Self {
        MemoryOutbox::default()
    }

    /// An empty outbox whose leases go by the clock of `env`.
    pub fn with_env(env: Env) -> Self {
        MemoryOutbox { env, ..MemoryOutbox::default() }
    }

    /// Adds an event.
    ///
    /// # Errors
    ///
    /// Those of [`OutboxEvent::into_message`].
    pub fn add(&self, event: OutboxEvent) -> Result<(), Error> {
        self.add_all([event])
    }

    /// Adds events, in their order, all of them or none.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn add_all(&self, events: impl IntoIterator<Item = OutboxEvent>) -> Result<(), Error> {
        let entry = |event: OutboxEvent| {
            let (shard, message) = (event.shard(), event.into_message()?);
            Ok(Entry { shard, message, error: None })
        };
        let entries: Vec<_> = events.into_iter().map(entry).collect::<Result<_, Error>>()?;
        let mut inner = self.inner();
        entries.into_iter().for_each(|entry| inner.add(entry));
        drop(inner);
        self.tell();
        Ok(())
    }

    /// Wakes all relays that wait, and the next one that would.
    fn tell(&self) {
        self.news.notify_waiters();
        self.news.notify_one();
    }

    // What can panic comes before the first change.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, entry: Entry) {
        self.next += 1;
        self.events.insert(self.next, entry);
    }

    fn lease(&mut self, owner: &str, now: Instant, until: Instant) -> Vec<Shard> {
        self.owners.insert(owner.to_owned(), until);
        self.owners.retain(|_, until| *until > now);
        let owners = &self.owners;
        self.shards.retain(|_, owner| owners.contains_key(owner));
        let held = self.shards.iter().map(|(shard, owner)| (*shard, &**owner));
        let share = Share::of(owner, self.owners.len(), held);
        share.given_up.iter().for_each(|shard| drop(self.shards.remove(shard)));
        self.shards.extend(share.taken.iter().map(|shard| (*shard, owner.to_owned())));
        share.into_shards()
    }
}

#[async_trait]
impl OutboxStore for MemoryOutbox {
    async fn lease(&self, owner: &str, lease: Duration) -> Result<Vec<Shard>, Error> {
        let now = self.env.instant();
        Ok(self.inner().lease(owner, now, now + lease))
    }

    async fn release(&self, owner: &str) -> Result<(), Error> {
        let mut inner = self.inner();
        inner.owners.remove(owner);
        inner.shards.retain(|_, of| of != owner);
        Ok(())
    }

    async fn pending(&self, shards: &[Shard], limit: usize) -> Result<Vec<PendingEvent>, Error> {
        let inner = self.inner();
        let pending = inner.events.iter().filter(|(_, entry)| entry.error.is_none());
        let pending = pending.filter(|(_, entry)| shards.contains(&entry.shard)).take(limit);
        let event =
            |(place, entry): (&u64, &Entry)| PendingEvent { place: *place, message: entry.message.clone() };
        Ok(pending.map(event).collect())
    }

    async fn remove(&self, places: &[u64]) -> Result<(), Error> {
        let mut inner = self.inner();
        places.iter().for_each(|place| drop(inner.events.remove(place)));
        Ok(())
    }

    async fn park(&self, place: u64, error: &str) -> Result<(), Error> {
        if let Some(entry) = self.inner().events.get_mut(&place) {
            entry.error = Some(error.to_owned());
        }
        Ok(())
    }

    async fn parked(&self, limit: usize) -> Result<Vec<ParkedEvent>, Error> {
        let inner = self.inner();
        let parked = inner.events.iter().filter_map(|(place, entry)| {
            let error = entry.error.clone()?;
            Some(ParkedEvent { place: *place, message: entry.message.clone(), error })
        });
        Ok(parked.take(limit).collect())
    }

    async fn unpark(&self, place: u64) -> Result<(), Error> {
        let mut inner = self.inner();
        if let Some(entry) = inner.events.remove(&place) {
            inner.add(Entry { error: None, ..entry });
        }
        self.tell();
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog, Error> {
        let inner = self.inner();
        let (pending, parked): (Vec<_>, Vec<_>) =
            inner.events.values().partition(|entry| entry.error.is_none());
        let oldest = pending.iter().map(|entry| entry.message.time).min();
        Ok(Backlog::new(pending.len() as u64, oldest, parked.len() as u64))
    }

    async fn wait(&self, at_most: Duration) {
        let _ = self.env.timeout(at_most, self.news.notified()).await;
    }
}
