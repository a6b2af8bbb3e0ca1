//! A projection that takes events from a bus: its handlers, and waiting for what they have done.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jitney_core::Env;
use jitney_core::handler::{Accepts, BatchPolicy, HandlerSet, HandlerSpec};
use jitney_core::middleware::RetryPolicy;

use super::attempts::Attempts;
use super::handler::Feed;
use super::{BusReadModel, Mark, OnBusFailure};
use crate::projection::handle::LOOK;
use crate::projection::{BuildId, BuildState, Projection, ProjectionHandle, ReadModel};
use crate::{Error, ErrorKind, Filter};

/// What the handlers of a projection have in common.
pub(super) struct Core<P, M> {
    pub(super) model: M,
    pub(super) projection: P,
    pub(super) filter: Filter,
    pub(super) build: BuildId,
    pub(super) settings: Settings,
    pub(super) attempts: Attempts,
    /// Events of batches that took longer than there was time.
    pub(super) cut_short: Attempts,
}

pub(super) struct Settings {
    pub(super) on_failure: OnBusFailure,
    pub(super) retry: RetryPolicy,
    pub(super) any_order: bool,
    pub(super) batch: usize,
    pub(super) poll: Duration,
    pub(super) answer_within: Duration,
    pub(super) lease: Duration,
    pub(super) env: Env,
}

/// A projection whose tables are there, for events that come by a bus. Cheap to clone.
pub struct BusProjection<P, M> {
    core: Arc<Core<P, M>>,
}

impl<P, M> Clone for BusProjection<P, M> {
    fn clone(&self) -> Self {
        BusProjection { core: Arc::clone(&self.core) }
    }
}

impl<P: Projection, M: BusReadModel + ReadModel<Connection = P::Connection>> BusProjection<P, M> {
    pub(super) fn new(core: Arc<Core<P, M>>) -> Self {
        BusProjection { core }
    }

    /// Handlers that give the projection what comes from a bus, run as `spec` says, in as many processes as are wanted: for
    /// `App::handlers`. Each process does so for all events of its group, so the projection has a group to itself.
    ///
    /// As many transactions are open at once as the group has lanes (`concurrency`). The retries of the spec do
    /// not count, those of [`BusProjector::retry`](super::BusProjector::retry) do.
    pub fn handlers(&self, spec: HandlerSpec) -> HandlerSet {
        let Settings { retry, on_failure, any_order, batch, .. } = &self.core.settings;
        let attempts = match on_failure {
            OnBusFailure::DeadLetter => retry.attempts,
            // What is tried no more is held, and not given up.
            OnBusFailure::Stop => u32::MAX,
        };
        // A broker would count it as an attempt when an event is held back.
        let spec = spec.retry(RetryPolicy { attempts, delayed: false, ..*retry });
        let spec = if *any_order { spec } else { spec.ordered() };
        let takes_batches = *batch > 1;
        let spec = if takes_batches { spec.batch(BatchPolicy { size: *batch }) } else { spec };
        let accepts = Accepts::Types(self.core.projection.event_types());
        HandlerSet::new().handler_of(spec, accepts, takes_batches, Feed(Arc::clone(&self.core)))
    }

    /// The projection from outside: pausing it, resuming it, skipping an event.
    pub fn handle(&self) -> ProjectionHandle<M> {
        ProjectionHandle::of(self.core.model.clone(), self.core.projection.name())
            .with_env(self.core.settings.env.clone())
    }

    /// Waits until the event of `mark` is in the read model, by whichever process: behind a publish, until readers see what
    /// follows from it.
    ///
    /// # Errors
    ///
    /// Of kind [`Projection`](ErrorKind::Projection) when the projection has stopped at an event, and, retryable, when the event
    /// has not been handled within `at_most`; and when the read model does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn wait_for(&self, mark: Mark<'_>, at_most: Duration) -> Result<(), Error> {
        let Core { model, build, settings, projection, .. } = &*self.core;
        let handle = self.handle();
        let handled = async {
            while !model.has_received(build, &mark).await? {
                let builds = handle.builds().await?;
                if let Some(live) = builds.iter().find(|one| one.id.state == BuildState::Live) {
                    handle.refuse_stopped(live, |_| true)?;
                }
                settings.env.sleep(LOOK).await;
            }
            Ok(())
        };
        settings.env.timeout(at_most, handled).await.unwrap_or_else(|_| {
            let name = projection.name();
            let what = format!(
                "waiting for projection `{name}` to handle the event of {mark:?}: it has not within {at_most:?}; see whether its \
                 handlers run, whether it is paused, and whether the event is among the dead letters of its group"
            );
            Err(Error::new(ErrorKind::Projection, what).retryable(true))
        })
    }
}

impl<P: Projection, M: fmt::Debug> fmt::Debug for BusProjection<P, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.core.projection.name();
        f.debug_struct("BusProjection")
            .field("projection", &name)
            .field("model", &self.core.model)
            .finish_non_exhaustive()
    }
}
