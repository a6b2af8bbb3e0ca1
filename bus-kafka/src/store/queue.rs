//! What waits for the writer of a partition.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jitney_sourcing::Error;

use super::claim::{Command, Request};
use super::failure;

/// What goes into one transaction, in events, unless a single append is larger.
const EVENTS_AT_ONCE: usize = 1_000;

/// Requests in the order in which they came.
pub(super) struct Queue {
    /// The partition, and the group that gives it to its owner, for messages.
    pub(super) place: Box<str>,
    pub(super) group: Box<str>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Command>,
    /// The partition is to go to another process.
    is_revoked: bool,
    /// The writer has ended.
    is_over: bool,
    /// Why the writer cannot write at the moment.
    trouble: Option<String>,
}

impl Queue {
    pub(super) fn new(place: &str, group: &str) -> Self {
        Queue { place: place.into(), group: group.into(), state: Mutex::default(), changed: Condvar::new() }
    }

    /// Hands a command to the writer; back where there is none any more.
    pub(super) fn push(&self, command: Command) -> Result<(), Command> {
        let mut state = self.lock();
        if state.is_revoked {
            return Err(command);
        }
        state.waiting.push_back(command);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Puts commands back, in front of the others.
    pub(super) fn put_back(&self, commands: impl DoubleEndedIterator<Item = Command>) {
        let mut state = self.lock();
        commands.rev().for_each(|command| state.waiting.push_front(command));
    }

    /// Waits for commands, and takes as many as go into one transaction; none where the partition is revoked.
    pub(super) fn take(&self) -> Vec<Command> {
        let mut state = self.lock();
        let (mut taken, mut events) = (Vec::new(), 0);
        loop {
            if state.is_revoked {
                return taken;
            }
            while events < EVENTS_AT_ONCE
                && let Some(command) = state.waiting.pop_front()
            {
                // Others were given up.
                if command.take() {
                    events += command.events();
                    taken.push(command);
                }
            }
            if !taken.is_empty() {
                return taken;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets go of what nobody waits for any more.
    pub(super) fn forget_given_up(&self) {
        self.lock().waiting.retain(|command| !command.is_given_up());
    }

    /// Answers what waits: the writer cannot write, and waiting does not help.
    pub(super) fn refuse_all(&self, error: &Error) {
        for command in std::mem::take(&mut self.lock().waiting) {
            let what = format!("appending: {error}; nothing was stored");
            command.answer(Err(Error::new(error.kind(), what).retryable(false)));
        }
    }

    /// Says why the writer cannot write at the moment, or that it can.
    pub(super) fn tell(&self, trouble: Option<String>) {
        self.lock().trouble = trouble;
    }

    /// Why the writer cannot write at the moment.
    pub(super) fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    pub(super) fn is_revoked(&self) -> bool {
        self.lock().is_revoked
    }

    /// Has the writer end. What waits is answered at once: others write to the partition, or will.
    pub(super) fn revoke(&self) {
        let mut state = self.lock();
        state.is_revoked = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.changed.notify_all();
        for command in waiting {
            command.answer(Err(failure::not_owner("appending", &self.place, &self.group)));
        }
    }

    /// Pauses, for no longer than `limit`, and no longer than the partition is ours.
    pub(super) fn pause(&self, limit: Duration) {
        // The result says nothing that is not looked at anyway.
        let _ = self.changed.wait_timeout_while(self.lock(), limit, |state| !state.is_revoked);
    }

    /// The writer has ended.
    pub(super) fn end(&self) {
        self.revoke();
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Command {
    fn events(&self) -> usize {
        match &self.request {
            Request::Append(append) => append.streams().iter().map(|part| part.events.len()).sum(),
            Request::Change { .. } => 1,
        }
    }
}
