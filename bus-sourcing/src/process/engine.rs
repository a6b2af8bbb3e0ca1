//! Steps: load, make it, store it; again where somebody else was faster.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use jitney_core::event::{OneOf, StoredPayload};
use jitney_core::{Env, Head};

use super::numbers::{count_deadline, count_input};
use super::panics::caught;
use super::work::Work;
use super::{Loaded, PendingDeadline, ProcessManager, ProcessStore};
use crate::{Error, ErrorKind};

/// How often a step is made anew that met another one.
pub(super) const ATTEMPTS: u32 = 10;

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Handling {
    /// Its process has handled it.
    Handled,
    /// Its process has handled it, and ended with it.
    Completed,
    /// Its process has handled it before; nothing has changed.
    Repeated,
    /// It is of a process that is not there, and may not start one; nothing has changed.
    IgnoredUnknown,
    /// It is of a process that has ended; nothing has changed.
    IgnoredCompleted,
    /// It is of no process; nothing has changed.
    NoKey,
}

/// Reads `payload`, that of `what`, as an input.
pub(super) fn read_input<P: ProcessManager>(
    what: &str,
    payload: &StoredPayload<'_>,
) -> Result<P::Input, Error> {
    let read = caught::<P, _>(|| format!("reading {what}"), || Ok(P::Input::read(payload)))?;
    read.map_err(|error| {
        let what = format!(
            "reading {what} for `{}`: it is there, and this program cannot read it; add an upcaster from that version",
            P::NAME
        );
        Error::new(ErrorKind::Decode, what).with_source(error)
    })
}

/// The key of the process that `input`, the event of `head`, belongs to.
pub(super) fn key_of<P: ProcessManager>(head: &Head, input: &P::Input) -> Result<Option<String>, Error> {
    let doing = || format!("finding the process of event {} (`{}`)", head.event_id, head.event_type);
    caught::<P, _>(doing, || Ok(P::key(input)))
}

/// Makes the steps of a process manager in a store.
pub(super) struct Engine<P> {
    pub(super) store: Arc<dyn ProcessStore>,
    pub(super) env: Env,
    manager: PhantomData<fn(P)>,
}

impl<P> Clone for Engine<P> {
    fn clone(&self) -> Self {
        Engine { store: Arc::clone(&self.store), env: self.env.clone(), manager: PhantomData }
    }
}

impl<P> fmt::Debug for Engine<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("store", &self.store).finish_non_exhaustive()
    }
}

impl<P: ProcessManager> Engine<P> {
    pub(super) fn new(store: Arc<dyn ProcessStore>, env: Env) -> Self {
        const { assert!(!P::NAME.is_empty(), "a process manager has a name") };
        Engine { store, env, manager: PhantomData }
    }

    /// Handles one input, the event of `head`. `read` reads it: once for each attempt, since handling it takes it.
    pub(super) async fn handle(
        &self,
        head: &Head,
        read: impl Fn() -> Result<P::Input, Error>,
    ) -> Result<Handling, Error> {
        let Some(key) = key_of::<P>(head, &read()?)? else { return Ok(Handling::NoKey) };
        let inputs = [(key.clone(), head.event_id.clone())];
        let mut attempt = 1;
        let handling = loop {
            let mut work = Work::new(P::NAME, self.load(&inputs).await?);
            let handling = work.handle::<P>(&key, head, read()?, self.env.now())?;
            if work.is_empty() {
                break handling;
            }
            match self.commit(work.into_commit(Vec::new(), None)).await {
                Ok(()) => break handling,
                Err(error) => self.again(&mut attempt, error).await?,
            }
        };
        count_input(P::NAME, handling);
        Ok(handling)
    }

    /// Has `deadline` fire, where it is still set.
    pub(super) async fn fire(&self, deadline: &PendingDeadline) -> Result<Handling, Error> {
        let mut attempt = 1;
        let handling = loop {
            // In this order: where the process makes a step in between, the commit meets another version.
            let processes = Vec::from_iter(self.get(&deadline.key).await?);
            let set = self.store.deadlines(P::NAME, &deadline.key).await?;
            if !set.iter().any(|set| set.deadline == deadline.deadline && set.at == deadline.at) {
                break Handling::Repeated;
            }
            let mut work = Work::new(P::NAME, Loaded { processes, ..Loaded::default() });
            let handling = work.fire::<P>(deadline, self.env.now())?;
            if work.is_empty() {
                break handling;
            }
            match self.commit(work.into_commit(Vec::new(), None)).await {
                Ok(()) => break handling,
                Err(error) => self.again(&mut attempt, error).await?,
            }
        };
        count_deadline(P::NAME, handling);
        Ok(handling)
    }

    /// Pauses before the next attempt, where one can help: at a conflict, where somebody was forgotten since the state was read, and
    /// where the answer was lost, since the mark of the step then says whether it is stored.
    async fn again(&self, attempt: &mut u32, error: Error) -> Result<(), Error> {
        use ErrorKind::{Conflict, Forgotten, Unknown};
        if !matches!(error.kind(), Conflict | Forgotten | Unknown) || *attempt == ATTEMPTS {
            return Err(error);
        }
        self.env.sleep(self.env.random_up_to(Duration::from_millis(2 << (*attempt).min(7)))).await;
        *attempt += 1;
        Ok(())
    }
}
