//! What an outbox is to a relay.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::Error;
use crate::message::Message;

/// So many shards every outbox has. It never changes: the shard of an event is stored with it.
pub const SHARDS: u16 = 64;

/// A part of an outbox that one relay at a time publishes from: the events of some keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard(u16);

impl Shard {
    /// The shard of the events of `key`.
    pub fn of(key: &str) -> Self {
        let hash = rapidhash::v3::rapidhash_v3(key.as_bytes());
        Shard(u16::try_from(hash % u64::from(SHARDS)).expect("there are fewer shards than that"))
    }

    /// The shard with the number `number`, from 0; none where there is no such shard.
    pub fn from_number(number: u16) -> Option<Self> {
        (number < SHARDS).then_some(Shard(number))
    }

    /// Its number, from 0.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// How the shards of an outbox are to be shared out, as the next relay that asks sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Share {
    /// What the relay keeps.
    pub kept: Vec<Shard>,
    /// What it gives up, since it has more than its share.
    pub given_up: Vec<Shard>,
    /// What it takes over, since nobody has it.
    pub taken: Vec<Shard>,
}

impl Share {
    /// The share of `relay`, one of `relays` that are alive, where the shards are held as `held` says by those that are alive.
    pub fn of<'a>(relay: &str, relays: usize, held: impl IntoIterator<Item = (Shard, &'a str)>) -> Self {
        Share::among(SHARDS, relay, relays, held)
    }

    /// The same of something that has only the first `shards` of them.
    pub fn among<'a>(
        shards: u16,
        relay: &str,
        relays: usize,
        held: impl IntoIterator<Item = (Shard, &'a str)>,
    ) -> Self {
        let shards = shards.min(SHARDS);
        let most = usize::from(shards).div_ceil(relays.max(1));
        let (mut kept, mut free) = (Vec::new(), (0..shards).map(Shard).collect::<BTreeSet<_>>());
        for (shard, holder) in held {
            free.remove(&shard);
            if holder == relay {
                kept.push(shard);
            }
        }
        kept.sort_unstable();
        let given_up = kept.split_off(most.min(kept.len()));
        let taken = free.into_iter().take(most - kept.len()).collect();
        Share { kept, given_up, taken }
    }

    /// What the relay has then.
    pub fn into_shards(mut self) -> Vec<Shard> {
        self.kept.append(&mut self.taken);
        self.kept
    }
}

/// An event in an outbox that is not known to be published.
#[derive(Debug, Clone)]
pub struct PendingEvent {
    /// Its place in the outbox: among those of one key, the order in which they are published.
    pub place: u64,
    /// What [`OutboxEvent::into_message`](super::OutboxEvent::into_message) made of it.
    pub message: Message,
}

/// An event that the broker will never take, kept beside the others.
#[derive(Debug, Clone)]
pub struct ParkedEvent {
    /// Its place in the outbox.
    pub place: u64,
    /// The event.
    pub message: Message,
    /// Why it was parked.
    pub error: String,
}

/// How much waits in an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Backlog {
    /// Events that are to be published.
    pub pending: u64,
    /// When the oldest of them was recorded.
    pub oldest: Option<Timestamp>,
    /// Events that the broker will never take.
    pub parked: u64,
}

impl Backlog {
    /// `pending` events, the oldest of them recorded at `oldest`, and `parked` ones beside.
    pub fn new(pending: u64, oldest: Option<Timestamp>, parked: u64) -> Self {
        Backlog { pending, oldest, parked }
    }
}

/// Where events wait for a relay. Everything here is the relay's side; how events get in is the store's own affair.
#[async_trait]
pub trait OutboxStore: fmt::Debug + Send + Sync + 'static {
    /// Keeps the shards of `owner` for another `lease`, takes over some that nobody has, gives up what is beyond a fair
    /// share among the relays there are, and answers those that `owner` has then.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future may leave shards with `owner` until the lease has passed.
    async fn lease(&self, owner: &str, lease: Duration) -> Result<Vec<Shard>, Error>;

    /// Gives up all shards of `owner`.
    ///
    /// # Errors
    ///
    /// When the store does not answer; the shards are then free when the lease has passed.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether they are given up.
    async fn release(&self, owner: &str) -> Result<(), Error>;

    /// Up to `limit` events of `shards`, the oldest first.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn pending(&self, shards: &[Shard], limit: usize) -> Result<Vec<PendingEvent>, Error>;

    /// Removes events that were published.
    ///
    /// # Errors
    ///
    /// When the store does not answer; they are then published again.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether they are removed.
    async fn remove(&self, places: &[u64]) -> Result<(), Error>;

    /// Puts an event aside that the broker will never take, because of `error`.
    ///
    /// # Errors
    ///
    /// When the store does not answer; it is then tried again.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is put aside.
    async fn park(&self, place: u64, error: &str) -> Result<(), Error>;

    /// The events that were put aside, the oldest first.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn parked(&self, limit: usize) -> Result<Vec<ParkedEvent>, Error>;

    /// Has an event that was put aside published again, behind those that are pending.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is pending again.
    async fn unpark(&self, place: u64) -> Result<(), Error>;

    /// How much waits.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn backlog(&self) -> Result<Backlog, Error>;

    /// Waits until there may be something new, for no longer than `at_most`. It is a hint: it may return early, and a relay
    /// that waits for the whole time misses nothing.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn wait(&self, at_most: Duration);
}
