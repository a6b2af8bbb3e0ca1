//! A shard at work: pages of the store, step by step.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::build::shard_of;
use super::status::Progress;
use super::step::{Core, Stepped};
use super::{
    Build, BuildState, OnFailure, PassedEvent, PoisonEvent, Projection, ReadModel, ShardLease, Stopped,
};
use crate::{Error, ErrorKind, Page, Position, StoredEvent};

/// How long a reader pauses that was woken for nothing twice.
const EARLY: Duration = Duration::from_millis(5);

/// One shard of one build, as long as this projector has it.
pub(super) struct Shard<P, M> {
    pub(super) core: Arc<Core<P, M>>,
    pub(super) build: Build,
    pub(super) lease: ShardLease,
    pub(super) stopping: watch::Receiver<bool>,
    /// What the live build was like, for a next one, which never overtakes it.
    pub(super) live: Option<Build>,
    /// Told when a next build has come to where the live one is.
    pub(super) caught_up: Box<dyn Fn() + Send + Sync>,
    pub(super) started: Instant,
    pub(super) handled: u64,
    /// How many events are read at once.
    pub(super) limit: usize,
    /// How often the next one could not be read.
    pub(super) unread: u32,
}

/// Some events of the shard, behind which the checkpoint goes to `to`.
struct Part {
    events: Vec<StoredEvent>,
    to: Position,
}

/// Why a shard rests.
enum Rest {
    /// There is nothing to read.
    AtEnd,
    /// It must not overtake the live build.
    AtCeiling,
}

impl<P: Projection, M: ReadModel<Connection = P::Connection>> Shard<P, M> {
    /// Works until it is told to stop, has lost the shard, or has stopped at an event.
    pub(super) async fn run(mut self) {
        let (mut failed, mut in_vain) = (0, 0);
        while !*self.stopping.borrow() {
            let rest = match self.turn().await {
                Ok(Some(rest)) => rest,
                Ok(None) => {
                    (failed, in_vain) = (0, 0);
                    continue;
                }
                Err(Ended::Here) => return,
                Err(Ended::Failed(error)) if error.kind() == ErrorKind::Closed => return,
                Err(Ended::Failed(error)) => {
                    failed += 1;
                    self.tell(&error);
                    self.pause(self.core.settings.retry.delay(&self.core.settings.env, failed)).await;
                    continue;
                }
            };
            failed = 0;
            in_vain += 1;
            match rest {
                Rest::AtCeiling => {
                    (self.caught_up)();
                    self.pause(self.core.settings.poll).await;
                }
                Rest::AtEnd => {
                    // A store that returns early time and again is not to be asked time and again.
                    if in_vain > 2 {
                        let pause = EARLY * 2_u32.saturating_pow((in_vain - 3).min(10));
                        self.pause(pause.min(self.core.settings.poll)).await;
                    }
                    if self.wait().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Applies the next page. Says why there is none.
    async fn turn(&mut self) -> Result<Option<Rest>, Ended> {
        let is_next = self.build.id.state == BuildState::Next;
        // What the live one has not come to need not be read, and cannot be where that has stopped at it.
        if is_next && self.is_at_ceiling().await? {
            return Ok(Some(Rest::AtCeiling));
        }
        let page = self.read().await?;
        let mut part = Part { events: page.events, to: page.position };
        if is_next {
            self.cut_at_ceiling(&mut part).await?;
        }
        if part.to == self.lease.position {
            return Ok(Some(if is_next { Rest::AtCeiling } else { Rest::AtEnd }));
        }
        let shards = self.build.shards.len();
        part.events.retain(|event| shard_of(event, shards) == self.lease.shard);
        // What nobody is told of, and what somebody is told of, do not go into one transaction.
        let is_live = |event: &StoredEvent| Core::<P, M>::is_live(&self.build, event);
        let first_live = part.events.iter().position(is_live).unwrap_or(part.events.len());
        if first_live > 0 && first_live < part.events.len() {
            let live = part.events.split_off(first_live);
            let to = part.events.last().map_or(&part.to, StoredEvent::position).clone();
            let quiet = Part { events: std::mem::replace(&mut part.events, live), to };
            self.apply(quiet).await?;
        }
        self.apply(part).await?;
        Ok(None)
    }

    /// Whether this shard is where the live build is.
    async fn is_at_ceiling(&mut self) -> Result<bool, Error> {
        let Shard { live, lease, build, .. } = &*self;
        let is_there = |live: &Build| {
            let ceiling = live.ceiling(lease.shard, build.shards.len());
            ceiling.iter().all(|ceiling| lease.position.has_reached(ceiling))
        };
        if !live.as_ref().is_some_and(is_there) {
            return Ok(false);
        }
        let builds = self.core.model.builds(self.core.name()).await?;
        let live = builds.into_iter().find(|build| build.id.state == BuildState::Live);
        let is_there = live.as_ref().is_some_and(is_there);
        self.live = live;
        Ok(is_there)
    }

    /// Takes away what the live build has not come to.
    async fn cut_at_ceiling(&mut self, part: &mut Part) -> Result<(), Error> {
        for look_again in [true, false] {
            let Some(live) = &self.live else { return Ok(()) };
            let ceiling = live.ceiling(self.lease.shard, self.build.shards.len());
            let is_below = |position: &Position| ceiling.iter().all(|ceiling| ceiling.has_reached(position));
            if is_below(&part.to) {
                return Ok(());
            }
            if look_again {
                let builds = self.core.model.builds(self.core.name()).await?;
                self.live = builds.into_iter().find(|build| build.id.state == BuildState::Live);
                continue;
            }
            let below = part.events.iter().take_while(|event| is_below(event.position())).count();
            part.events.truncate(below);
            // Where one position says it all, the checkpoint goes as far as the live one.
            part.to = match &ceiling[..] {
                [one] if part.to.has_reached(one) && one.has_reached(&self.lease.position) => one.clone(),
                _ => part.events.last().map_or(&self.lease.position, StoredEvent::position).clone(),
            };
        }
        Ok(())
    }

    /// Applies the events of `part`: at once, or in smaller parts until the one is found that cannot be.
    async fn apply(&mut self, part: Part) -> Result<(), Ended> {
        let core = Arc::clone(&self.core);
        let (mut rest, mut size, mut attempts) = (&part.events[..], part.events.len(), 0);
        loop {
            let (now, later) = rest.split_at(size.min(rest.len()));
            let to = match later {
                [] => &part.to,
                _ => now.last().map_or(&part.to, StoredEvent::position),
            };
            match core.step(&self.build, &mut self.lease, now, to, None).await? {
                Stepped::Moved => {}
                Stepped::Lost => return Err(Ended::Here),
                Stepped::Refused(_) if now.len() > 1 => {
                    size = now.len().div_ceil(2);
                    continue;
                }
                Stepped::Refused(error) => {
                    attempts += 1;
                    if error.is_retryable() && attempts < core.settings.retry.attempts {
                        tracing::warn!(projection = core.name(), %error, "handling an event failed and is tried again");
                        self.pause(core.settings.retry.delay(&core.settings.env, attempts)).await;
                        match *self.stopping.borrow() {
                            true => return Err(Ended::Here),
                            false => continue,
                        }
                    }
                    let [event] = now else { return Err(Ended::Here) };
                    let poison = PoisonEvent::new(event, &error, attempts, &core.settings.env);
                    self.pass(poison, to).await?;
                    size = later.len();
                }
            }
            attempts = 0;
            self.report(now.len() as u64);
            if later.is_empty() {
                return Ok(());
            }
            rest = later;
        }
    }

    /// Passes an event that cannot be handled, or stops at it.
    async fn pass(&mut self, event: PoisonEvent, to: &Position) -> Result<(), Ended> {
        let core = Arc::clone(&self.core);
        let id = &self.build.id;
        let skipped = core.model.is_skipped(id, &event.event_id).await?;
        let record = match (skipped, core.settings.on_failure) {
            (true, _) => None,
            (false, OnFailure::Park) => Some(PassedEvent::new(event.clone(), false)),
            (false, OnFailure::Stop) => {
                return self.stop(Stopped::At(event)).await;
            }
        };
        match core.step(&self.build, &mut self.lease, &[], to, record.as_ref()).await? {
            Stepped::Moved => {
                let how = if skipped { "skipped" } else { "parked" };
                tracing::error!(projection = core.name(), %event, how, "the projection has passed an event");
                metrics::counter!("jitney_projection_passed_total", "projection" => core.name().to_owned())
                    .increment(1);
                Ok(())
            }
            Stepped::Lost | Stepped::Refused(_) => Err(Ended::Here),
        }
    }

    /// Reads the next events: as many as can be read where something further on cannot.
    async fn read(&mut self) -> Result<Page, Ended> {
        let core = Arc::clone(&self.core);
        loop {
            let error = match core.store.read_all(&self.lease.position, &core.filter, self.limit).await {
                Ok(page) => {
                    self.limit = self.limit.saturating_mul(2).min(core.settings.batch);
                    self.unread = 0;
                    return Ok(page);
                }
                // What is set up wrongly here may be right elsewhere: that is no reason to stop for all.
                Err(error)
                    if error.is_retryable()
                        || matches!(error.kind(), ErrorKind::Closed | ErrorKind::Config) =>
                {
                    return Err(error.into());
                }
                Err(error) => error,
            };
            if self.limit > 1 {
                self.limit = self.limit.div_ceil(2);
                continue;
            }
            self.unread += 1;
            // What is wrong with an event stays so. Of a database, that is known when it was asked a few times.
            let is_of_event = matches!(error.kind(), ErrorKind::Decode | ErrorKind::Invalid);
            if !is_of_event && self.unread < core.settings.retry.attempts {
                return Err(error.into());
            }
            self.stop(Stopped::reading(&error, &core.settings.env)).await?;
        }
    }

    /// Stops, until somebody has it go on.
    async fn stop(&mut self, stopped: Stopped) -> Result<(), Ended> {
        let (core, shard) = (&self.core, self.lease.shard);
        let projection = core.name();
        tracing::error!(projection, shard, "the projection {stopped}");
        metrics::counter!("jitney_projection_stopped_total", "projection" => projection.to_owned())
            .increment(1);
        core.model.stop(&self.build.id, &self.lease, &stopped).await?;
        core.news.send_modify(|times| *times = times.wrapping_add(1));
        Err(Ended::Here)
    }

    fn report(&mut self, events: u64) {
        let Core { settings, .. } = &*self.core;
        self.handled += events;
        let projection = self.core.name().to_owned();
        metrics::counter!("jitney_projection_events_total", "projection" => projection).increment(events);
        if let Some(told) = &settings.on_progress {
            let elapsed = settings.env.instant().duration_since(self.started);
            told(&Progress {
                state: self.build.id.state,
                shard: self.lease.shard,
                position: self.lease.position.clone(),
                handled: self.handled,
                rate: self.handled as f64 / elapsed.as_secs_f64().max(1e-6),
                of: self.live.as_ref().map(|live| of_shard(live, &self.lease, &self.build)),
            });
        }
    }

    fn tell(&self, error: &Error) {
        let (projection, error) = (self.core.name(), jitney_core::error_chain(error));
        tracing::warn!(projection, error, "following the store failed and is tried again");
    }

    async fn wait(&mut self) -> Result<(), Error> {
        let core = Arc::clone(&self.core);
        let waited = tokio::select! {
            waited = core.store.wait(&self.lease.position, core.settings.poll) => waited,
            () = told_to_stop(&mut self.stopping) => return Ok(()),
        };
        match waited {
            Err(error) if error.kind() != ErrorKind::Closed => {
                self.tell(&error);
                self.pause(core.settings.poll).await;
                Ok(())
            }
            waited => waited,
        }
    }

    async fn pause(&mut self, pause: Duration) {
        tokio::select! {
            () = self.core.settings.env.sleep(pause) => {}
            () = told_to_stop(&mut self.stopping) => {}
        }
    }
}

async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone says the same.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// How many events the live build has handled of what a shard of the next one is for, as far as that is known.
fn of_shard(live: &Build, lease: &ShardLease, next: &Build) -> u64 {
    match live.shards.get(usize::from(lease.shard)) {
        Some(shard) if live.shards.len() == next.shards.len() => shard.handled,
        _ => live.shards.iter().map(|shard| shard.handled).sum::<u64>() / next.shards.len().max(1) as u64,
    }
}

/// Why a shard ends its work.
enum Ended {
    /// It is not this projector's any more, is paused, or has stopped at an event.
    Here,
    /// Store or read model failed: it is tried again.
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Ended::Failed(error)
    }
}
