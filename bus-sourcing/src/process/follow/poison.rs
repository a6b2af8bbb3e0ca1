//! Events that cannot be handled, or not here.

use std::sync::PoisonError;

use jitney_core::error_chain;

use super::{Following, Turn};
use crate::process::numbers::{count_failed, count_parked};
use crate::process::parked::describe;
use crate::process::work::Work;
use crate::process::{Loaded, OnFailure, ParkedInput, ProcessManager};
use crate::{Error, ErrorKind, Page, Position, StoredEvent};

/// An event that cannot be handled.
pub(super) struct Poison<'a> {
    pub(super) event: &'a StoredEvent,
    pub(super) error: Error,
}

impl<P: ProcessManager> Following<P> {
    /// Handles the events of `page` that are not yet, one at a time, so that the one shows which the store refuses.
    pub(super) async fn store_each(&mut self, page: &Page) -> Result<Turn, Error> {
        for event in &page.events {
            let Some(from) = self.held.as_ref().map(|held| held.position.clone()) else { break };
            if from.has_reached(event.position()) {
                continue;
            }
            let one = Page { events: vec![event.clone()], position: event.position().clone(), at_end: false };
            match self.store_page(from.clone(), &one).await {
                Ok(Turn::Moved) => {}
                Err(error) if is_refused(&error) => return self.decide(from, Poison { event, error }).await,
                stopped => return stopped,
            }
        }
        Ok(Turn::Moved)
    }

    /// Lets a newer version of the program follow, which alone can handle `event`.
    pub(super) async fn stand_back(&mut self, event: &StoredEvent, error: Error) -> Result<Turn, Error> {
        count_failed(P::NAME);
        let (what, chain) = (describe(event), error_chain(&error));
        tracing::warn!(process = P::NAME, error = chain, "{what} is left to a newer version of this program");
        self.release().await?;
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.follows = false;
        status.failure = Some(format!("{what} is left to a newer version of this program: {chain}"));
        drop(status);
        Ok(Turn::Outdated(error))
    }

    /// What to do about an event that cannot be handled; the checkpoint is at `from`, before it.
    pub(super) async fn decide(&mut self, from: Position, poison: Poison<'_>) -> Result<Turn, Error> {
        let Poison { event, error } = poison;
        count_failed(P::NAME);
        let event_id = &event.head().event_id;
        let is_named = self.engine.store.parked_input(P::NAME, event_id).await?.is_some();
        let (what, chain) = (describe(event), error_chain(&error));
        // A store that refuses is not known to refuse only this one: that is for people to say.
        let is_parked = self.settings.on_failure == OnFailure::Park && error.kind() != ErrorKind::Store;
        if is_parked || is_named {
            tracing::warn!(process = P::NAME, %event_id, error = chain, "{what} was put aside");
            let parked = ParkedInput::failed(event, &error, self.engine.env.now());
            let nothing = Work::new(P::NAME, Loaded::default());
            self.store(from, event.position().clone(), nothing, vec![parked]).await?;
            count_parked(P::NAME);
            self.tell(None);
            return Ok(Turn::Moved);
        }
        tracing::warn!(process = P::NAME, %event_id, error = chain, "stopped at {what}");
        self.tell(Some(format!(
            "stopped at {what}: {chain}; correct the program or the state, or pass the event over by `skip(\"{event_id}\")`"
        )));
        Ok(Turn::Stopped(error))
    }
}

/// Whether a store answers with `error` to the same steps however often they are made.
pub(super) fn is_refused(error: &Error) -> bool {
    use ErrorKind::{Decode, Encode, Forgotten, Invalid, Store};
    matches!(error.kind(), Invalid | Encode | Decode | Forgotten | Store) && !error.is_retryable()
}
