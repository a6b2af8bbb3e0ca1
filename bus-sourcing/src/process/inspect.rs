//! Looking at processes, and at what could not be handled.

use std::time::Duration;

use jiff::Timestamp;
use jitney_core::Id;

use super::engine::read_input;
use super::numbers::show;
use super::parked::{describe, payload};
use super::{
    Handling, ListProcesses, OutgoingEvent, ParkedInput, PendingDeadline, ProcessCounts, ProcessInfo,
    ProcessInstance, ProcessManager, ProcessRunner, ProcessStep,
};
use crate::{Error, ErrorKind, Position};

/// How many processes are removed at once.
const REMOVED: usize = 500;

/// How a runner is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunnerStatus {
    /// Whether it is the one that follows the event store.
    pub follows: bool,
    /// How far it has come, where it follows.
    pub position: Option<Position>,
    /// What it has stopped at and how to go on, or what a store last answered that keeps it from going on; none as soon as it goes
    /// on.
    pub failure: Option<String>,
}

/// A process, to be looked at.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProcessView<P> {
    /// The state.
    pub state: P,
    /// Whether it has ended.
    pub completed: bool,
    /// When its first step was made.
    pub started_at: Timestamp,
    /// When its last step was made.
    pub updated_at: Timestamp,
    /// What it has handled, the oldest first.
    pub steps: Vec<ProcessStep>,
    /// What it waits for, by time.
    pub deadlines: Vec<PendingDeadline>,
    /// What it sends when it compensates, the last one first.
    pub compensations: Vec<OutgoingEvent>,
}

impl<P: ProcessManager> ProcessRunner<P> {
    /// The process `key` with all that is known of it; none where there is none.
    ///
    /// # Errors
    ///
    /// When the store does not answer, or the state cannot be read.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn look(&self, key: &str) -> Result<Option<ProcessView<P>>, Error> {
        let store = &self.engine.store;
        let Some(stored) = self.engine.get(key).await? else { return Ok(None) };
        let (state, mut compensations) = ProcessInstance::<P>::restore(&stored)?.into_parts();
        compensations.reverse();
        Ok(Some(ProcessView {
            state,
            completed: stored.completed,
            started_at: stored.started_at,
            updated_at: stored.updated_at,
            steps: store.steps(P::NAME, key).await?,
            deadlines: store.deadlines(P::NAME, key).await?,
            compensations,
        }))
    }

    /// Open processes; those that may be stuck by [`ListProcesses::idle_since`].
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn list(&self, list: &ListProcesses) -> Result<Vec<ProcessInfo>, Error> {
        self.engine.store.list(P::NAME, list).await
    }

    /// How many processes are open, and how many deadlines should have fired by now. A runner that is spawned shows it as
    /// metrics.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn counts(&self) -> Result<ProcessCounts, Error> {
        let counts = self.engine.store.counts(P::NAME, self.engine.env.now()).await?;
        show(P::NAME, &counts);
        Ok(counts)
    }

    /// Removes processes that were completed longer ago than `age`, and says how many. Keep them for as long as an event may
    /// come again: one that does then starts its process anew.
    ///
    /// # Errors
    ///
    /// When the store does not answer. What was removed stays so.
    ///
    /// # Cancellation
    ///
    /// What was removed stays so.
    pub async fn remove_completed(&self, age: Duration) -> Result<u64, Error> {
        let before = self.engine.env.now().checked_sub(age).unwrap_or(Timestamp::MIN);
        let mut removed = 0;
        loop {
            match self.engine.store.remove_completed(P::NAME, before, REMOVED).await? {
                0 => return Ok(removed),
                some => removed += some,
            }
        }
    }

    /// Has the event `event_id` passed over where it cannot be handled, by whichever runner follows the event store: it is put
    /// aside with the error when it is met.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is passed over.
    pub async fn skip(&self, event_id: impl Into<Id>) -> Result<(), Error> {
        let event_id = event_id.into();
        let (what, at) = ("an event to be passed over".to_owned(), self.engine.env.now());
        let named = ParkedInput { event_id, stream: None, what, error: None, at };
        self.engine.store.name_parked(P::NAME, &named).await
    }

    /// Up to `limit` events that were put aside, the oldest first.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn parked(&self, limit: usize) -> Result<Vec<ParkedInput>, Error> {
        self.engine.store.parked(P::NAME, limit).await
    }

    /// Handles an event that was put aside, now that it can be handled, in the state that its process has by now, and says what
    /// became of it. It is not put aside any more where its process has handled it, now or before. One that was ignored stays, as it
    /// does behind an error: see [`forget_parked`](Self::forget_parked).
    ///
    /// # Errors
    ///
    /// Of kind [`Invalid`](ErrorKind::Invalid) when no such event was put aside, or this runner [follows](Self::follow) no event
    /// store; otherwise what is still wrong. The event is then put aside as before.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is handled. It can be handled again.
    pub async fn retry_parked(&self, event_id: impl Into<Id>) -> Result<Handling, Error> {
        let event_id = event_id.into();
        let invalid = |why: &str| {
            let what = format!("handling event {event_id}, which was put aside, for `{}`: {why}", P::NAME);
            Error::new(ErrorKind::Invalid, what)
        };
        let events = self.events.as_ref().ok_or_else(|| invalid("the runner follows no event store"))?;
        let parked = self.engine.store.parked_input(P::NAME, &event_id).await?;
        let stream = parked.and_then(|parked| parked.stream);
        let stream = stream.ok_or_else(|| invalid("it was not put aside"))?;
        let event = events.find_event(&stream, &event_id).await?;
        let event = event.ok_or_else(|| invalid("the event store does not have it"))?;
        event.unopened().map_or(Ok(()), Err)?;
        let read = || read_input::<P>(&describe(&event), &payload(&event));
        let handling = self.engine.handle(event.head(), read).await?;
        if matches!(handling, Handling::Handled | Handling::Completed | Handling::Repeated) {
            self.engine.store.unpark(P::NAME, &event_id).await?;
        }
        Ok(handling)
    }

    /// Drops what is known of an event that was put aside, or named by [`skip`](Self::skip): nobody is to handle it. The event
    /// store has it as before.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is dropped.
    pub async fn forget_parked(&self, event_id: impl Into<Id>) -> Result<(), Error> {
        self.engine.store.unpark(P::NAME, &event_id.into()).await
    }
}
