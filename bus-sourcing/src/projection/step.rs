//! One step: some events, applied in one transaction in which the checkpoint moves.

use std::sync::{Arc, Mutex};

use jitney_core::error_chain;
use jitney_core::handler::HandlerError;
use tokio::sync::watch;

use super::projector::Settings;
use super::{
    Build, BuildState, PassedEvent, Projecting, Projection, ReadModel, ReadModelTransaction, ShardLease,
    Step, panics,
};
use crate::{Error, ErrorKind, EventStore, Filter, Position, StoredEvent};

/// What all parts of a projector have in common.
pub(super) struct Core<P, M> {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) model: M,
    pub(super) projection: P,
    pub(super) filter: Filter,
    pub(super) settings: Settings,
    /// What this projector calls itself.
    pub(super) worker: String,
    /// Changes when something was committed, or is to be looked at.
    pub(super) news: watch::Sender<u64>,
    /// Why the last swap cannot be, until somebody who waits for it is told.
    pub(super) failed_swap: Arc<Mutex<Option<Error>>>,
}

/// What became of a step.
pub(super) enum Stepped {
    /// It is committed.
    Moved,
    /// The shard is another one's, or paused: nothing was done.
    Lost,
    /// The projection refused: nothing was done.
    Refused(HandlerError),
}

impl<P: Projection, M: ReadModel<Connection = P::Connection>> Core<P, M> {
    pub(super) fn name(&self) -> &str {
        self.projection.name()
    }

    /// Whether what is done about `event` in `build` is done for the first time.
    pub(super) fn is_live(build: &Build, event: &StoredEvent) -> bool {
        build.id.state == BuildState::Live && !build.live_from.has_reached(event.position())
    }

    /// Removes what is left of builds whose place was taken. Whether nothing is.
    pub(super) async fn tidy(&self) -> bool {
        let Err(error) = self.model.clean_up(self.name()).await else { return true };
        let (projection, error) = (self.name(), error_chain(&error));
        tracing::warn!(
            projection,
            error,
            "what a rebuilt projection has left is still there: that is tried again"
        );
        false
    }

    /// Applies `events`, all of them live or none, and moves the checkpoint of the shard to `to`.
    pub(super) async fn step(
        &self,
        build: &Build,
        lease: &mut ShardLease,
        events: &[StoredEvent],
        to: &Position,
        passed: Option<&PassedEvent>,
    ) -> Result<Stepped, Error> {
        let mut transaction = self.model.begin(&build.id, self.settings.lease).await?;
        let step = Step {
            shard: lease.shard,
            epoch: lease.epoch,
            from: &lease.position,
            to,
            handled: events.len() as u64,
            last_time: events.last().map(|event| event.head().time),
            passed,
        };
        if !transaction.advance(&step).await? {
            return Ok(Stepped::Lost);
        }
        let live = events.first().is_some_and(|event| Self::is_live(build, event));
        if !events.is_empty() {
            let mut at = Projecting::new(transaction.connection(), live);
            if let Err(error) = panics::apply(&self.projection, events, &mut at).await {
                return Ok(Stepped::Refused(error));
            }
        }
        match transaction.commit().await {
            Ok(()) => {}
            // What was applied cannot be committed, however often it is tried: a constraint that is checked at the end.
            Err(error) if !events.is_empty() && is_refusal(&error) => {
                return Ok(Stepped::Refused(HandlerError::permanent(error)));
            }
            Err(error) => return Err(error),
        }
        lease.position = to.clone();
        self.news.send_modify(|times| *times = times.wrapping_add(1));
        if live {
            panics::tell(&self.projection, events).await;
        }
        Ok(Stepped::Moved)
    }
}

/// Whether a commit failed because of what it was to commit: nothing of it was.
pub(super) fn is_refusal(error: &Error) -> bool {
    !error.is_retryable()
        && !matches!(error.kind(), ErrorKind::Closed | ErrorKind::Unknown | ErrorKind::Config)
}
