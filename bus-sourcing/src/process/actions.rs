//! What a process manager wants done.

use std::marker::PhantomData;
use std::time::Duration;

use jiff::Timestamp;
use jitney_core::Keyed;
use jitney_core::personal::collect;
use serde::Serialize;

use super::OutgoingEvent;
use crate::{Error, ErrorKind};

/// The most bytes that a deadline may have as JSON: it is part of a key in the database.
const MAX_DEADLINE_BYTES: usize = 1_024;

/// What follows from a step of a process, in this order; nothing, unless it is said.
///
/// Everything of it is stored in one transaction with the state. Events are published from the outbox, under ids that follow
/// from the step: a step that has to be made again sends the same.
#[derive(Debug)]
#[must_use = "actions happen when they are returned"]
pub struct Actions<D> {
    actions: Vec<Action>,
    /// The first one that could not be stored.
    error: Option<Error>,
    deadline: PhantomData<fn(D)>,
}

#[derive(Debug)]
pub(super) enum Action {
    Send(OutgoingEvent),
    KeepCompensation(OutgoingEvent),
    Compensate,
    Schedule { deadline: String, when: When },
    Cancel { deadline: String },
    Complete,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    At(Timestamp),
    After(Duration),
}

impl<D> Default for Actions<D> {
    fn default() -> Self {
        Actions { actions: Vec::new(), error: None, deadline: PhantomData }
    }
}

impl<D: Serialize> Actions<D> {
    /// Nothing.
    pub fn new() -> Self {
        Actions::default()
    }

    /// Publishes `event`: a fact, such as that an order was cancelled.
    pub fn publish<E: Keyed>(self, event: &E) -> Self {
        self.with(OutgoingEvent::new(event).map(Action::Send))
    }

    /// Sends `command`: an event that asks somebody to do something. It goes the same way as one that is
    /// [published](Self::publish).
    pub fn send<E: Keyed>(self, command: &E) -> Self {
        self.publish(command)
    }

    /// Has `deadline` fire when `after` has passed from now on. One that is set already is moved.
    pub fn schedule(self, deadline: D, after: Duration) -> Self {
        self.set(&deadline, When::After(after))
    }

    /// Has `deadline` fire at `time`, at once where that has passed. One that is set already is moved.
    pub fn schedule_at(self, deadline: D, time: Timestamp) -> Self {
        self.set(&deadline, When::At(time))
    }

    /// Takes back `deadline`. It does not fire any more, also where it is due; nothing happens where it is not set.
    pub fn cancel(self, deadline: D) -> Self {
        self.with(text(&deadline).map(|deadline| Action::Cancel { deadline }))
    }

    /// Keeps `event` on the stack of what is to be sent when the process [compensates](Self::compensate): what undoes the step
    /// that was just made.
    pub fn compensate_with<E: Keyed>(self, event: &E) -> Self {
        self.with(OutgoingEvent::new(event).map(Action::KeepCompensation))
    }

    /// Sends the compensations that were kept, the last one first, and keeps none.
    pub fn compensate(self) -> Self {
        self.with(Ok(Action::Compensate))
    }

    /// Ends the process: its deadlines are taken back, and later inputs ignored.
    pub fn complete(self) -> Self {
        self.with(Ok(Action::Complete))
    }

    fn set(self, deadline: &D, when: When) -> Self {
        self.with(text(deadline).map(|deadline| Action::Schedule { deadline, when }))
    }

    fn with(mut self, action: Result<Action, Error>) -> Self {
        match action {
            Ok(action) => self.actions.push(action),
            Err(error) => drop(self.error.get_or_insert(error)),
        }
        self
    }

    pub(super) fn into_actions(self) -> Result<Vec<Action>, Error> {
        self.error.map_or(Ok(self.actions), Err)
    }
}

fn text<D: Serialize>(deadline: &D) -> Result<String, Error> {
    let (text, met) = collect(|| serde_json::to_string(deadline));
    if met > 0 {
        let what = "setting a deadline of a process: it has personal data, and is known by its text, which cannot be sealed; keep \
                    in the state what it is about";
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    let text = text.map_err(|error| {
        Error::new(ErrorKind::Encode, "encoding a deadline of a process").with_source(error)
    })?;
    if text.len() > MAX_DEADLINE_BYTES {
        let what = format!(
            "setting a deadline of a process: it has {} bytes as JSON, and {MAX_DEADLINE_BYTES} at most; keep in the state \
             what it is about",
            text.len()
        );
        return Err(Error::new(ErrorKind::Invalid, what));
    }
    Ok(text)
}
