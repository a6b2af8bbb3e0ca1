//! A projector that is at work.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jitney_core::Env;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::status::ProjectionLag;
use super::step::Core;
use super::worker::{Made, Task, Worker};
use super::{Build, BuildState, Projection, ProjectionHandle, ProjectionStatus, ReadModel, ShardState};
use crate::{Error, ErrorKind, EventStore, Filter, Position};

/// A projector on tasks of its own. Dropping it stops it, without waiting for what it is doing.
///
/// It is a [`ProjectionHandle`] too: it can be paused, waited for, and told to skip an event.
pub struct RunningProjector<M: ReadModel> {
    handle: ProjectionHandle<M>,
    store: Arc<dyn EventStore>,
    filter: Filter,
    env: Env,
    failed_swap: Arc<Mutex<Option<Error>>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), Error>>,
}

impl<M: ReadModel> RunningProjector<M> {
    pub(super) fn new<P>(core: Arc<Core<P, M>>, task: Task) -> Self
    where
        P: Projection<Connection = M::Connection>,
    {
        let (stop, stopped) = oneshot::channel();
        let (poke, env) = (Arc::new(Notify::new()), core.settings.env.clone());
        let (news, model) = (core.news.subscribe(), core.model.clone());
        let handle = ProjectionHandle::here(model, core.name(), env.clone(), news, Arc::clone(&poke));
        let (store, filter) = (Arc::clone(&core.store), core.filter.clone());
        let failed_swap = Arc::clone(&core.failed_swap);
        let worker = Worker::new(core, task, poke);
        let task = env.spawn(worker.run(async {
            // A sender that is dropped says the same.
            let _ = stopped.await;
        }));
        RunningProjector { handle, store, filter, env, failed_swap, stop: Some(stop), task }
    }

    /// The projection, for others of this process to wait for it.
    pub fn handle(&self) -> ProjectionHandle<M> {
        self.handle.clone()
    }

    /// How far the projection is, and how far behind the store.
    ///
    /// # Errors
    ///
    /// When read model or store do not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn status(&self) -> Result<ProjectionStatus, Error> {
        let builds = self.handle.builds().await?;
        let live = builds.iter().find(|build| build.id.state == BuildState::Live);
        let lag = match live {
            Some(live) => ProjectionLag::of(&*self.store, &self.filter, live, self.env.now()).await?,
            None => Some(ProjectionLag::default()),
        };
        Ok(ProjectionStatus { builds, lag })
    }

    /// Waits until everything that is in the store by now, and can be read, is in the read model.
    ///
    /// # Errors
    ///
    /// As [`ProjectionHandle::wait_for`]; and when the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn wait_for_end(&self, at_most: Duration) -> Result<(), Error> {
        let end: Position = self.store.end().await?;
        self.handle.wait_for(&end, at_most).await
    }

    /// Has it finish the transactions that are open, and give up its shards so that others need not wait for its lease.
    ///
    /// # Errors
    ///
    /// When the shards could not be given up: others take them when the lease has passed.
    ///
    /// # Cancellation
    ///
    /// The projector stops all the same.
    pub async fn shutdown(mut self) -> Result<(), Error> {
        drop(self.stop.take());
        let task = &mut self.task;
        task.await.unwrap_or_else(|error| {
            let what = "waiting for a projector to end: its task has panicked";
            Err(Error::new(ErrorKind::Closed, what).with_source(error))
        })
    }

    /// Waits until what was made is what readers see. What it has stopped at `before` is tried again; it counts when it has stopped
    /// anew, or when nobody has tried it again for a `lease`, as another projector that has the shard does not.
    pub(super) async fn until_replaced(
        &self,
        made: Made,
        before: &[Build],
        lease: Duration,
    ) -> Result<(), Error> {
        let number = match made {
            Made::Next(number) => number,
            Made::First => return self.wait_for_end(Duration::MAX).await,
        };
        let (handle, since) = (&self.handle, self.env.instant());
        let old = before.iter().find(|build| build.id.number == number);
        handle
            .until(|builds| {
                if builds.iter().any(|build| build.id.state == BuildState::Live && build.id.number >= number)
                {
                    return Ok(true);
                }
                let failed_swap = self.failed_swap.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(error) = failed_swap {
                    return Err(error);
                }
                let Some(next) = builds.iter().find(|build| build.id.number == number) else {
                    let name = handle.name();
                    let what = format!("rebuilding projection `{name}`: another build has taken its place");
                    return Err(Error::new(ErrorKind::Projection, what));
                };
                let is_new = |(shard, old): (&ShardState, &ShardState)| {
                    shard.stopped.is_some() && shard.epoch > old.epoch
                };
                let has_stopped = match old {
                    Some(old) => next.shards.iter().zip(&old.shards).any(is_new),
                    None => true,
                };
                if has_stopped || self.env.instant().duration_since(since) > lease {
                    handle.refuse_stopped(next, |_| true)?;
                }
                Ok(false)
            })
            .await
    }
}

impl<M: ReadModel> Deref for RunningProjector<M> {
    type Target = ProjectionHandle<M>;

    fn deref(&self) -> &ProjectionHandle<M> {
        &self.handle
    }
}

impl<M: ReadModel> Drop for RunningProjector<M> {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

impl<M: ReadModel> fmt::Debug for RunningProjector<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningProjector").field("handle", &self.handle).finish_non_exhaustive()
    }
}
