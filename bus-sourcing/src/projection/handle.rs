//! A projection from outside: where it is, pausing it, skipping an event, waiting for it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jitney_core::{Env, Id};
use tokio::sync::{Notify, watch};

use super::projector::check_name;
use super::{Build, BuildState, PassedEvent, ReadModel, ShardState};
use crate::{Error, ErrorKind, Position};

/// How often to look at the read model while something is waited for that happens in another process.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// A projection in a read model, whichever process works on it. Cheap to clone.
#[derive(Clone)]
pub struct ProjectionHandle<M> {
    model: M,
    name: Arc<str>,
    env: Env,
    /// Of the projector in this process, where there is one.
    here: Option<Here>,
}

#[derive(Clone)]
struct Here {
    news: watch::Receiver<u64>,
    poke: Arc<Notify>,
}

impl<M: ReadModel> ProjectionHandle<M> {
    /// The projection `name` in `model`.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) when no projection can have the name.
    pub fn new(model: M, name: &str) -> Result<Self, Error> {
        check_name(name)?;
        Ok(ProjectionHandle::of(model, name))
    }

    /// The projection `name`, which is checked.
    pub(super) fn of(model: M, name: &str) -> Self {
        ProjectionHandle { model, name: name.into(), env: Env::system(), here: None }
    }

    pub(super) fn here(
        model: M,
        name: &str,
        env: Env,
        news: watch::Receiver<u64>,
        poke: Arc<Notify>,
    ) -> Self {
        ProjectionHandle { model, name: name.into(), env, here: Some(Here { news, poke }) }
    }

    /// Waits by the clock of `env`.
    #[must_use]
    pub fn with_env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    pub(super) fn env(&self) -> &Env {
        &self.env
    }

    /// The name of the projection.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The builds of the projection: the live one, where there is one, and then the next one, where there is one.
    ///
    /// # Errors
    ///
    /// When the read model does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn builds(&self) -> Result<Vec<Build>, Error> {
        self.model.builds(&self.name).await
    }

    /// Lets the projection handle no more events, in all processes and also when they are started anew. A transaction that is
    /// open is committed; what comes behind it is not.
    ///
    /// # Errors
    ///
    /// When the read model does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is paused.
    pub async fn pause(&self) -> Result<(), Error> {
        self.model.set_paused(&self.name, true).await?;
        self.poke();
        Ok(())
    }

    /// Lets a projection go on that is [paused](Self::pause), or has [stopped](super::Stopped): what it has stopped at is tried
    /// again.
    ///
    /// # Errors
    ///
    /// When the read model does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it goes on.
    pub async fn resume(&self) -> Result<(), Error> {
        self.model.set_paused(&self.name, false).await?;
        self.poke();
        Ok(())
    }

    /// Lets the projection pass the event that it has stopped at, once it has failed again. It is recorded with the error:
    /// [`passed`](Self::passed). A rebuild does not skip it.
    ///
    /// # Errors
    ///
    /// Of kind [`Invalid`](ErrorKind::Invalid) when the projection has not stopped at the event; and when the read model does
    /// not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is skipped.
    pub async fn skip(&self, event_id: &Id) -> Result<(), Error> {
        if !self.model.skip(&self.name, event_id).await? {
            let name = &self.name;
            let what = format!(
                "skipping event {event_id} in projection `{name}`: the projection has not stopped at it; look at where it has"
            );
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        self.poke();
        Ok(())
    }

    /// Events that the live build has passed without having handled them, the newest first.
    ///
    /// # Errors
    ///
    /// When the read model does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn passed(&self, limit: usize) -> Result<Vec<PassedEvent>, Error> {
        self.model.passed(&self.name, limit).await
    }

    /// Waits until everything up to `position` is in the read model: behind an append, until readers see what was written.
    ///
    /// # Errors
    ///
    /// Of kind [`Projection`](ErrorKind::Projection) when the projection has [stopped](super::Stopped) before it, and, retryable, when
    /// it has not come so far within `at_most`; and when the read model does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn wait_for(&self, position: &Position, at_most: Duration) -> Result<(), Error> {
        let reached = self.until(|builds: &[Build]| {
            let live = builds.iter().find(|build| build.id.state == BuildState::Live);
            let Some(live) = live else { return Ok(false) };
            if live.is_from_bus() {
                let name = &self.name;
                let what = format!(
                    "waiting for projection `{name}` to come to `{position}`: its events come by a bus, which has no positions; \
                     wait for the event, by `BusProjection::wait_for`"
                );
                return Err(Error::new(ErrorKind::Unsupported, what));
            }
            if live.has_reached(position) {
                return Ok(true);
            }
            self.refuse_stopped(live, |shard| !shard.position.has_reached(position))?;
            Ok(false)
        });
        self.env.timeout(at_most, reached).await.unwrap_or_else(|_| {
            let name = &self.name;
            let what = format!(
                "waiting for projection `{name}` to come to `{position}`: it has not within {at_most:?}; see whether a \
                 projector runs, and whether the projection is paused"
            );
            Err(Error::new(ErrorKind::Projection, what).retryable(true))
        })
    }

    /// The error of a build of which a shard that counts has stopped, where one has.
    pub(super) fn refuse_stopped(
        &self,
        build: &Build,
        counts: impl Fn(&ShardState) -> bool,
    ) -> Result<(), Error> {
        let stopped =
            build.shards.iter().filter(|shard| counts(shard)).find_map(|shard| shard.stopped.as_ref());
        let Some(stopped) = stopped else { return Ok(()) };
        let what = format!("projection `{}` {stopped}", self.name);
        Err(Error::new(ErrorKind::Projection, what))
    }

    /// Looks at the builds until `done` says so: at once when something is committed here, and every now and then.
    pub(super) async fn until(&self, done: impl Fn(&[Build]) -> Result<bool, Error>) -> Result<(), Error> {
        let mut here = self.here.clone();
        loop {
            if let Some(here) = &mut here {
                here.news.mark_unchanged();
            }
            if done(&self.builds().await?)? {
                return Ok(());
            }
            match &mut here {
                Some(here) => {
                    // A projector that has gone says nothing more.
                    if let Ok(Err(_)) = self.env.timeout(LOOK, here.news.changed()).await {
                        self.env.sleep(LOOK).await;
                    }
                }
                None => self.env.sleep(LOOK).await,
            }
        }
    }

    fn poke(&self) {
        if let Some(here) = &self.here {
            here.poke.notify_one();
        }
    }
}

impl<M: fmt::Debug> fmt::Debug for ProjectionHandle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectionHandle")
            .field("name", &self.name)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}
