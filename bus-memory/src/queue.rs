//! Messages that wait to be delivered outside a log: now, or not before some time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jitney_core::message::Message;
use tokio::time::Instant;

/// A message that waits for one group.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) topic: usize,
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) message: Arc<Message>,
    /// How often it was delivered to the group.
    pub(crate) attempts: u32,
    /// How many faults it has met.
    pub(crate) faults: u32,
    /// A second delivery of something that is also delivered otherwise: nothing depends on it.
    pub(crate) twin: bool,
}

impl Entry {
    pub(crate) fn new(topic: usize, partition: u32, offset: u64, message: Arc<Message>) -> Self {
        Entry { topic, partition, offset, message, attempts: 0, faults: 0, twin: false }
    }
}

/// An entry that is with a member.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) entry: Entry,
    /// The id of the member.
    pub(crate) member: Option<u64>,
    /// When it is taken back.
    pub(crate) deadline: Option<Instant>,
}

/// Entries in order, and entries that are held back.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    ready: VecDeque<Entry>,
    delayed: BTreeMap<(Instant, u64), Entry>,
    delays: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, entry: Entry) {
        self.ready.push_back(entry);
    }

    pub(crate) fn push_first(&mut self, entry: Entry) {
        self.ready.push_front(entry);
    }

    pub(crate) fn delay(&mut self, entry: Entry, until: Instant) {
        self.delayed.insert((until, self.delays), entry);
        self.delays += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<Entry> {
        self.ready.pop_front()
    }

    /// The `index`-th entry that is ready; the first one takes its place.
    pub(crate) fn pop_at(&mut self, index: usize) -> Option<Entry> {
        self.ready.swap_remove_front(index)
    }

    /// How many can be delivered now.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// When the next delayed entry is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((due, _), _)| *due)
    }

    /// Makes ready what is due at `now`, behind what is ready.
    pub(crate) fn advance(&mut self, now: Instant) {
        while let Some(delayed) = self.delayed.first_entry()
            && delayed.key().0 <= now
        {
            self.ready.push_back(delayed.remove());
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.ready.iter().chain(self.delayed.values())
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = Entry> + use<> {
        std::mem::take(&mut self.ready).into_iter().chain(std::mem::take(&mut self.delayed).into_values())
    }
}

/// The earlier of two times that may not be set.
pub(crate) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}
