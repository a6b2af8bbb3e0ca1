//! What a projector does all the time: keeps its shards, works on them, and lets the next build take the place of the live one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jitney_core::error_chain;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::projector::Settings;
use super::shard::Shard;
use super::status::ProjectionLag;
use super::step::Core;
use super::{Build, BuildState, NewBuild, Projection, ReadModel, ReadModelTransaction, ShardLease, swap};
use crate::{Error, ErrorKind};

/// How long to wait behind the end of a shard's work, so that nothing is asked without pause.
const BREATH: Duration = Duration::from_millis(10);

/// What a projector is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Everything of its version.
    Follow,
    /// The next build, until it takes its place.
    Rebuild,
}

/// The build that a projector is to work on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Made {
    /// There is no other.
    First,
    /// The one of this number is to take the place of the live one.
    Next(u64),
}

/// Makes the build that is missing, if one is: the first one, the next one of a higher version, or the next one of this version
/// where `anew`.
pub(super) async fn ensure<P, M>(core: &Core<P, M>, anew: bool) -> Result<Made, Error>
where
    P: Projection,
    M: ReadModel<Connection = P::Connection>,
{
    let (name, version) = (core.name(), core.projection.version());
    let mut made = false;
    loop {
        let builds = core.model.builds(name).await?;
        let of = |state| builds.iter().find(|build| build.id.state == state);
        let (live, next) =
            (of(BuildState::Live), of(BuildState::Next).filter(|next| next.version >= version));
        if live.is_some_and(Build::is_from_bus) {
            let what = format!(
                "starting projection `{name}`: its events come by a bus, and what is in it would be counted again from a store; \
                 give the handlers of `BusProjector` to the application, or give this one another name"
            );
            return Err(Error::new(ErrorKind::Config, what));
        }
        let state = match (live, next) {
            (None, _) => BuildState::Live,
            (Some(_), _) if made && next.is_none() => return Ok(Made::First),
            (Some(live), _) if live.version > version => {
                let newer = live.version;
                if anew {
                    let what = format!(
                        "rebuilding projection `{name}`: it is of version {newer}, this program knows version {version}; use a \
                         newer version of it"
                    );
                    return Err(Error::new(ErrorKind::Config, what));
                }
                tracing::warn!(
                    projection = name,
                    version,
                    newer,
                    "the projection is of a newer version: this one waits"
                );
                return Ok(Made::First);
            }
            (Some(_), Some(next)) => return Ok(Made::Next(next.id.number)),
            (Some(live), None) if anew || live.version < version => BuildState::Next,
            (Some(live), None) => {
                let (are, wanted) = (live.shards.len(), core.settings.shards);
                if are != usize::from(wanted) {
                    let what = format!(
                        "starting projection `{name}`: it has {are} shards, and is to have {wanted}; give it {are}, or rebuild it"
                    );
                    return Err(Error::new(ErrorKind::Config, what));
                }
                return Ok(Made::First);
            }
        };
        let live_from = match live {
            // What the live build tells nobody of, the one that takes its place tells nobody of either.
            Some(live) => live.live_from.clone(),
            // What is there already when a projection first is happened before it.
            None => core.store.end().await?,
        };
        let new =
            NewBuild { projection: name.to_owned(), state, version, shards: core.settings.shards, live_from };
        let Some(mut transaction) = core.model.begin_build(&new).await? else { continue };
        prepare(&core.model, &core.projection, &mut transaction).await?;
        transaction.commit().await?;
        made = true;
    }
}

/// Has `projection` make its tables in the place of a build.
pub(super) async fn prepare<P: Projection, M: ReadModel>(
    model: &M,
    projection: &P,
    transaction: &mut impl ReadModelTransaction<Connection = P::Connection>,
) -> Result<(), Error> {
    projection.prepare(transaction.connection()).await.map_err(|error| {
        let (name, place) = (projection.name(), model.describe());
        let what = format!("preparing projection `{name}` in {place}: nothing was made");
        let retryable = error.is_retryable();
        Error::new(ErrorKind::Projection, what)
            .with_source(error_chain(error.source_error()))
            .retryable(retryable)
    })
}

/// Works until it is told to stop.
pub(super) struct Worker<P, M> {
    core: Arc<Core<P, M>>,
    task: Task,
    poke: Arc<Notify>,
    shards: HashMap<Key, AtWork>,
    stopping: watch::Sender<bool>,
    tell: mpsc::UnboundedSender<Told>,
    told: mpsc::UnboundedReceiver<Told>,
    caught_up: bool,
    /// When to look again how far behind the projection is.
    lag_at: Instant,
    /// When to remove what is left of builds whose place was taken.
    tidy_at: Option<Instant>,
}

/// The number of a build, and of a shard.
type Key = (u64, u16);

struct AtWork {
    epoch: u64,
    task: JoinHandle<()>,
}

enum Told {
    Ended(Key, u64),
    CaughtUp,
}

impl<P: Projection, M: ReadModel<Connection = P::Connection>> Worker<P, M> {
    pub(super) fn new(core: Arc<Core<P, M>>, task: Task, poke: Arc<Notify>) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let (shards, stopping) = (HashMap::new(), watch::Sender::new(false));
        let lag_at = core.settings.env.instant();
        Worker {
            core,
            task,
            poke,
            shards,
            stopping,
            tell,
            told,
            caught_up: false,
            lag_at,
            tidy_at: Some(lag_at),
        }
    }

    pub(super) async fn run(mut self, stop: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let core = Arc::clone(&self.core);
        let mut stop = std::pin::pin!(stop);
        loop {
            let pause = match self.turn().await {
                Ok(pause) => pause,
                Err(error) if error.kind() == ErrorKind::Closed => break,
                Err(error) => {
                    let (projection, error) = (core.name(), error_chain(&error));
                    tracing::warn!(projection, error, "keeping a projection up failed and is tried again");
                    core.settings.poll
                }
            };
            tokio::select! {
                () = &mut stop => break,
                () = core.settings.env.sleep(pause.min(core.settings.lease / 3)) => {}
                () = self.poke.notified() => {}
                Some(told) = self.told.recv() => {
                    self.note(&told);
                    core.settings.env.sleep(BREATH).await;
                }
            }
            while let Ok(told) = self.told.try_recv() {
                self.note(&told);
            }
        }
        self.stopping.send_replace(true);
        for (_, at_work) in std::mem::take(&mut self.shards) {
            // One that has panicked has ended too; its transaction is rolled back.
            let _ = at_work.task.await;
        }
        core.model.release(core.name(), &core.worker).await
    }

    fn note(&mut self, told: &Told) {
        match told {
            Told::CaughtUp => self.caught_up = true,
            Told::Ended(key, epoch) => {
                self.shards.retain(|one, at_work| one != key || at_work.epoch != *epoch);
            }
        }
    }

    /// Keeps the leases, and what is done with them. How long there is nothing more to do.
    async fn turn(&mut self) -> Result<Duration, Error> {
        let core = Arc::clone(&self.core);
        if self.tidy_at.is_some_and(|at| core.settings.env.instant() >= at) {
            self.tidy().await;
        }
        let builds = core.model.builds(core.name()).await?;
        let live = builds.iter().find(|build| build.id.state == BuildState::Live);
        let next = builds.iter().find(|build| build.id.state == BuildState::Next);
        let caught_up = std::mem::take(&mut self.caught_up);
        if let (Some(live), Some(next)) = (live, self.is_mine(next))
            // Whoever waits for a rebuild tries also where all shards are at work elsewhere, so as to hear what is wrong.
            && (caught_up || (self.task == Task::Rebuild && swap::is_there(live, next)))
            && swap::swap(&core, live, next).await?
        {
            // What is known of the shards is no longer true.
            self.stop_all();
            core.news.send_modify(|times| *times = times.wrapping_add(1));
            self.tidy().await;
            return Ok(Duration::ZERO);
        }
        let mut all_at_work = true;
        let mut held = HashMap::new();
        for build in [self.is_mine(live), self.is_mine(next)].into_iter().flatten() {
            let leased = core.model.lease(&build.id, &core.worker, core.settings.lease).await?;
            for lease in leased.shards {
                let may_work = !leased.paused && lease.stopped.is_none();
                all_at_work &= may_work;
                if may_work {
                    held.insert((build.id.number, lease.shard), (build, lease));
                }
            }
        }
        self.shards.retain(|key, at_work| {
            let is_held = held.get(key).is_some_and(|(_, lease)| lease.epoch == at_work.epoch);
            if !is_held {
                at_work.task.abort();
            }
            is_held
        });
        for (key, (build, lease)) in held {
            if !self.shards.contains_key(&key) {
                self.begin(key, build, lease, live);
            }
        }
        let now = core.settings.env.instant();
        if let Some(live) = self.is_mine(live).filter(|_| now >= self.lag_at) {
            self.lag_at = now + core.settings.lease / 3;
            let lag = ProjectionLag::of(&*core.store, &core.filter, live, core.settings.env.now()).await?;
            if let Some(lag) = lag {
                lag.publish(core.name());
            }
        }
        Ok(if all_at_work && next.is_none() { core.settings.lease } else { core.settings.poll })
    }

    /// Removes what is left of builds whose place was taken; later where that cannot be done now, as while somebody reads it.
    async fn tidy(&mut self) {
        let Settings { env, poll, lease, .. } = &self.core.settings;
        let later = (*poll).max(*lease / 3);
        self.tidy_at = if self.core.tidy().await { None } else { Some(env.instant() + later) };
    }

    /// Whether this projector is to work on the build.
    fn is_mine<'a>(&self, build: Option<&'a Build>) -> Option<&'a Build> {
        build.filter(|build| {
            build.version == self.core.projection.version()
                && (self.task == Task::Follow || build.id.state == BuildState::Next)
        })
    }

    fn begin(&mut self, key: Key, build: &Build, lease: ShardLease, live: Option<&Build>) {
        let core = Arc::clone(&self.core);
        let (tell, epoch) = (self.tell.clone(), lease.epoch);
        let shard = Shard {
            started: core.settings.env.instant(),
            build: build.clone(),
            lease,
            stopping: self.stopping.subscribe(),
            live: live.filter(|_| build.id.state == BuildState::Next).cloned(),
            caught_up: Box::new({
                let tell = tell.clone();
                // A worker that has gone needs no word.
                move || drop(tell.send(Told::CaughtUp))
            }),
            handled: 0,
            limit: core.settings.batch,
            unread: 0,
            core: Arc::clone(&core),
        };
        let ending = Ending { tell, told: Some(Told::Ended(key, epoch)) };
        let task = core.settings.env.spawn(async move {
            let _ending = ending;
            shard.run().await;
        });
        self.shards.insert(key, AtWork { epoch, task });
    }

    fn stop_all(&mut self) {
        for (_, at_work) in self.shards.drain() {
            at_work.task.abort();
        }
    }
}

impl<P, M> Drop for Worker<P, M> {
    fn drop(&mut self) {
        // Transactions that are open are rolled back.
        for at_work in self.shards.values() {
            at_work.task.abort();
        }
    }
}

/// Tells of the end of a shard's work, also where that panics.
struct Ending {
    tell: mpsc::UnboundedSender<Told>,
    told: Option<Told>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(told) = self.told.take() {
            // A worker that has gone needs no word.
            let _ = self.tell.send(told);
        }
    }
}
