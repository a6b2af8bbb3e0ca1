//! Runners: what feeds a process manager.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney_core::Env;

use super::deadlines::Firing;
use super::engine::{ATTEMPTS, Engine};
use super::follow::{Following, Turn};
use super::{ProcessManager, ProcessStore, RunnerStatus, RunningProcess};
use crate::{Error, ErrorKind, EventStore, IntoEventStore};

/// How long to wait at once for what is stored and cannot be read yet.
const UNREADABLE: Duration = Duration::from_millis(50);

/// Runs a process manager: has its deadlines fire, and follows an event store for it where it is told to.
///
/// Any number of them may run in any number of programs. One of them follows the event store, the others wait to take over; all
/// of them look after deadlines, each of which fires once. Inputs from a bus come by [`handlers`](Self::handlers), which may be
/// used beside an event store or instead of one.
///
/// A deadline fires by the clock of the runner that looks at it, and never early by that.
#[derive(Debug)]
#[must_use = "a runner works when it is spawned"]
pub struct ProcessRunner<P> {
    pub(super) engine: Engine<P>,
    pub(super) events: Option<Arc<dyn EventStore>>,
    pub(super) settings: Settings,
}

/// What is to be done about an event of the event store that a process manager cannot handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnFailure {
    /// It stops there, and tries again, at last every half minute, until it can be handled or is
    /// [passed over](ProcessRunner::skip). [`RunningProcess::status`] says what it is. Deadlines go on firing.
    #[default]
    Stop,
    /// It is put aside with the error, and the next one is handled. Later events of the same process go on without it: they are
    /// handled in a state that has not seen it, and where it was to start the process, they are ignored and gone for it. Use it
    /// where inputs may be handled in any order, and each may start the process.
    Park,
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) on_failure: OnFailure,
    pub(super) batch: usize,
    pub(super) lease: Duration,
    pub(super) poll: Duration,
}

impl<P> Clone for ProcessRunner<P> {
    fn clone(&self) -> Self {
        ProcessRunner {
            engine: self.engine.clone(),
            events: self.events.clone(),
            settings: self.settings.clone(),
        }
    }
}

impl<P: ProcessManager> ProcessRunner<P> {
    /// A runner of `P` whose processes are in `store`.
    pub fn new(store: impl ProcessStore) -> Self {
        let env = Env::system();
        let settings = Settings {
            on_failure: OnFailure::Stop,
            batch: 100,
            lease: Duration::from_secs(15),
            poll: Duration::from_secs(1),
        };
        let engine = Engine::new(Arc::new(store), env);
        ProcessRunner { engine, events: None, settings }
    }

    /// Takes inputs from `events`, from its first event on. The checkpoint moves in the transaction of what follows from them.
    pub fn follow(mut self, events: impl IntoEventStore) -> Self {
        self.events = Some(events.into_event_store());
        self
    }

    /// What is to be done about an event that cannot be handled.
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.settings.on_failure = on_failure;
        self
    }

    /// Handles up to so many events in one transaction; 100 unless told.
    pub fn batch(mut self, events: usize) -> Self {
        self.settings.batch = events.max(1);
        self
    }

    /// Others take over when nothing is heard of this runner for so long; 15 s unless told, and a tenth of a second at least. A
    /// deadline whose runner has died fires so much later.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease.max(Duration::from_millis(100));
        self
    }

    /// Looks for events and deadlines at least this often; once a second unless told, and not more often than once a millisecond. A deadline that somebody else has set for
    /// a time within it fires so much late.
    pub fn poll_every(mut self, poll: Duration) -> Self {
        self.settings.poll = poll.max(Duration::from_millis(1));
        self
    }

    /// Takes time from `env`.
    pub fn with_env(mut self, env: Env) -> Self {
        self.engine.env = env;
        self
    }

    /// Runs on tasks of its own until it is told to stop. Each call is a runner for itself, of which one follows the event store.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn spawn(&self) -> RunningProcess {
        let status = Arc::default();
        let following = self.following(&status);
        let firing = self.firing();
        let env = &self.engine.env;
        let (running, stop) = RunningProcess::new(status);
        let feed = following.map(|following| env.spawn(following.run(stop.clone())));
        running.with_tasks([Some(env.spawn(firing.run(stop))), feed])
    }

    /// Handles what is in the event store now, and has those deadlines fire that are due, in turns, until there is nothing left
    /// to do; for tests, and for programs that are started now and then. It waits for what is stored and cannot be read yet.
    ///
    /// # Errors
    ///
    /// When a store does not answer, when another runner follows the event store, when others were faster or the answer was lost
    /// ten times in a row, and where an input or a deadline cannot be handled: the error is then what is wrong with it, and the
    /// deadlines that are due have fired all the same.
    ///
    /// # Cancellation
    ///
    /// What was done is stored. Others wait until the lease has passed.
    pub async fn catch_up(&self) -> Result<(), Error> {
        let Some(mut following) = self.following(&Arc::default()) else {
            return self.firing().all().await.map(drop);
        };
        let caught_up = self.turns(&mut following).await;
        let released = following.release().await;
        caught_up.and(released)
    }

    async fn turns(&self, following: &mut Following<P>) -> Result<(), Error> {
        let mut firing = self.firing();
        let end = following.end().await?;
        let mut failed = 0;
        loop {
            let turn = following.turn().await?;
            failed = if matches!(turn, Turn::Again(_)) { failed + 1 } else { 0 };
            match turn {
                Turn::Moved => {}
                Turn::Again(error) if failed == ATTEMPTS => return Err(error),
                Turn::Again(error) => self.engine.env.sleep(following.again(&error, failed)).await,
                // What is stored already may become readable only when a transaction beside it has ended.
                Turn::AtEnd if !following.has_reached(&end) => following.wait(UNREADABLE).await?,
                Turn::AtEnd if firing.all().await? == 0 => return Ok(()),
                Turn::AtEnd => {}
                // What the process manager cannot handle keeps no deadline from firing.
                Turn::Stopped(error) | Turn::Outdated(error) => {
                    drop(firing.all().await);
                    return Err(error);
                }
                Turn::Standby => {
                    let what = format!(
                        "catching up with `{}`: another runner follows the event store; stop it, or wait for its lease to end",
                        P::NAME
                    );
                    return Err(Error::new(ErrorKind::NotOwner, what));
                }
            }
        }
    }

    /// What follows the event store, for whoever does: two of them are never one, whether of one runner or of its clones.
    fn following(&self, status: &Arc<Mutex<RunnerStatus>>) -> Option<Following<P>> {
        let events = Arc::clone(self.events.as_ref()?);
        Some(Following::new(self.engine.clone(), events, self.settings.clone(), Arc::clone(status)))
    }

    fn firing(&self) -> Firing<P> {
        Firing::new(self.engine.clone(), self.settings.clone())
    }
}
