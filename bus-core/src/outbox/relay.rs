//! Relays: what publishes from an outbox.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::Instant;

use super::round::{Relayed, Round, round};
use super::running::RunningRelay;
use super::{OutboxStore, Shard};
use crate::middleware::RetryPolicy;
use crate::publish::Bus;
use crate::{Env, Error, ErrorKind, error_chain};

/// Publishes what an outbox has, in order per key, at least once. Several relays share the outbox by leases: each key is one
/// relay's at a time.
///
/// A relay that stands still for longer than its lease, and goes on with what it had read, can publish an event behind a later
/// one of its key: readers see the earlier one again, under the same id.
#[derive(Debug, Clone)]
#[must_use = "a relay works when it is spawned"]
pub struct Relay {
    store: Arc<dyn OutboxStore>,
    bus: Bus,
    owner: String,
    lease: Duration,
    poll: Duration,
    batch: usize,
}

impl Relay {
    /// From `store` to `bus`.
    pub fn new(store: impl OutboxStore, bus: &Bus) -> Self {
        let owner = format!("{}-{}", bus.service(), bus.env().new_id());
        let (lease, poll) = (Duration::from_secs(15), Duration::from_secs(1));
        Relay { store: Arc::new(store), bus: bus.clone(), owner, lease, poll, batch: 500 }
    }

    /// Others take over when nothing is heard of this relay for so long; 15 s unless told, a second at least.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_secs(1));
        self
    }

    /// Looks for new events at least this often, whatever the store says; once a second unless told.
    pub fn poll_every(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// Publishes up to so many events at once; 500 unless told.
    pub fn batch(mut self, events: usize) -> Self {
        self.batch = events.max(1);
        self
    }

    /// Publishes on a task of its own until it is told to stop.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn spawn(self) -> RunningRelay {
        RunningRelay::new(self)
    }

    /// Publishes everything that is in the outbox now and that no other relay has, and returns. Where something cannot be
    /// published for the moment, that is an error.
    ///
    /// # Errors
    ///
    /// When store or broker do not answer. What was not published is in the outbox.
    ///
    /// # Cancellation
    ///
    /// What is not known to be published stays in the outbox.
    pub async fn drain(&self) -> Result<Relayed, Error> {
        let drained = self.drain_leased().await;
        let released = self.store.release(&self.owner).await;
        drained.and_then(|relayed| released.map(|()| relayed))
    }

    async fn drain_leased(&self) -> Result<Relayed, Error> {
        let mut total = Relayed::default();
        loop {
            let shards = self.store.lease(&self.owner, self.lease).await?;
            let round = round(&*self.store, &self.bus, &shards, self.batch).await?;
            total = total.and(round.relayed);
            if let Some(error) = round.error {
                return Err(error);
            }
            if round.relayed.is_nothing() {
                return Ok(total);
            }
        }
    }

    /// Publishes until `stop`, then gives up its shards. Errors are told, and what they are about is tried again.
    pub(super) async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let mut stop = std::pin::pin!(stop);
        let mut shards = Shards::new(self.env());
        let mut failed = 0;
        loop {
            // A round is never cut short: what it has published is to be removed.
            let pause = match self.turn(&mut shards).await {
                Ok(relayed) => {
                    failed = 0;
                    (relayed.published + relayed.parked == 0).then(|| shards.pause(self.env(), self.poll))
                }
                Err(error) if error.kind() == ErrorKind::Closed => break,
                Err(error) => {
                    failed += 1;
                    tell(&error);
                    Some(RetryPolicy::default().delay(self.env(), failed))
                }
            };
            let wait = async {
                match pause {
                    None => {}
                    Some(pause) if failed == 0 => self.store.wait(pause.min(self.lease / 3)).await,
                    Some(pause) => self.env().sleep(pause.min(self.lease / 3)).await,
                }
            };
            if let Either::Left(_) = select(&mut stop, std::pin::pin!(wait)).await {
                break;
            }
        }
        self.store.release(&self.owner).await
    }

    async fn turn(&self, shards: &mut Shards) -> Result<Relayed, Error> {
        let now = self.env().instant();
        if now >= shards.renew_at {
            // Until the store has answered, nothing is known to be this relay's.
            shards.leased.clear();
            shards.leased = self.store.lease(&self.owner, self.lease).await?;
            shards.renew_at = now + self.lease / 3;
        }
        let ready = shards.ready(now);
        let round = round(&*self.store, &self.bus, &ready, self.batch).await?;
        shards.note(self.env(), &ready, &round);
        match round.error {
            Some(error) if error.kind() == ErrorKind::Closed => return Err(error),
            Some(error) => tell(&error),
            None => {}
        }
        Ok(round.relayed)
    }

    pub(super) fn env(&self) -> &Env {
        self.bus.env()
    }
}

fn tell(error: &Error) {
    let error = error_chain(error);
    tracing::warn!(error, "publishing from the outbox failed and is tried again");
}

/// What a relay may publish from: what it has leased, without what is held up for a while.
struct Shards {
    leased: Vec<Shard>,
    renew_at: Instant,
    held_up: HashMap<Shard, HeldUp>,
}

/// An event of the shard could not be published; others of other shards can.
struct HeldUp {
    failed: u32,
    until: Instant,
}

impl Shards {
    fn new(env: &Env) -> Self {
        Shards { leased: Vec::new(), renew_at: env.instant(), held_up: HashMap::new() }
    }

    fn ready(&self, now: Instant) -> Vec<Shard> {
        let is_ready = |shard: &&Shard| self.held_up.get(shard).is_none_or(|held_up| held_up.until <= now);
        self.leased.iter().filter(is_ready).copied().collect()
    }

    /// Keeps in mind what `round` has shown about the shards that it was for.
    fn note(&mut self, env: &Env, shards: &[Shard], round: &Round) {
        for shard in shards {
            if !round.held_up.contains(shard) {
                self.held_up.remove(shard);
                continue;
            }
            let failed = self.held_up.get(shard).map_or(1, |held_up| held_up.failed + 1);
            let until = env.instant() + RetryPolicy::default().delay(env, failed);
            self.held_up.insert(*shard, HeldUp { failed, until });
        }
    }

    /// How long there is nothing to do, where nothing new comes; `at_most` at most.
    fn pause(&self, env: &Env, at_most: Duration) -> Duration {
        let now = env.instant();
        let next = self.held_up.values().map(|held_up| held_up.until.saturating_duration_since(now)).min();
        next.unwrap_or(at_most).min(at_most)
    }
}
