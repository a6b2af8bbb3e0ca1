//! Deadlines that fire.

use jitney_core::error_chain;
use jitney_core::middleware::RetryPolicy;
use std::time::Duration;
use tokio::time::Instant;

use super::engine::Engine;
use super::numbers::{count_failed, show};
use super::runner::Settings;
use super::running::Stop;
use super::{DueDeadlines, PendingDeadline, ProcessManager};
use crate::{Error, ErrorKind};

/// How many deadlines are claimed at once.
const CLAIM: usize = 100;

/// How often it is looked up how the process manager is doing.
const LOOK: Duration = Duration::from_secs(10);

/// Has the deadlines of a process manager fire.
pub(super) struct Firing<P> {
    engine: Engine<P>,
    settings: Settings,
    look_at: Instant,
}

impl<P: ProcessManager> Firing<P> {
    pub(super) fn new(engine: Engine<P>, settings: Settings) -> Self {
        let look_at = engine.env.instant();
        Firing { engine, settings, look_at }
    }

    /// Fires until `stop`.
    pub(super) async fn run(mut self, mut stop: Stop) -> Result<(), Error> {
        let mut failed = 0;
        loop {
            let pause = match self.turn(&stop).await {
                Ok(pause) => {
                    failed = 0;
                    pause
                }
                Err(error) if error.kind() == ErrorKind::Closed => return Ok(()),
                Err(error) => {
                    failed += 1;
                    let error = error_chain(&error);
                    tracing::warn!(
                        process = P::NAME,
                        error,
                        "looking for deadlines failed and is tried again"
                    );
                    RetryPolicy::default().delay(&self.engine.env, failed)
                }
            };
            tokio::select! {
                biased;
                () = stop.wait() => return Ok(()),
                () = self.engine.env.sleep(pause) => {}
            }
        }
    }

    /// Has those fire that are due, as long as it is not to stop, and says how long there are none.
    async fn turn(&mut self, stop: &Stop) -> Result<Duration, Error> {
        self.look().await?;
        let DueDeadlines { claimed, next } = self.claim().await?;
        for deadline in &claimed {
            if stop.is_told() {
                break;
            }
            self.fire(deadline)
                .await
                .or_else(|error| if is_of_store(&error) { Err(error) } else { Ok(()) })?;
        }
        if !claimed.is_empty() {
            return Ok(Duration::ZERO);
        }
        let now = self.engine.env.now();
        let until = next.map(|next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
        // One that is due, and was not to be had, is just being claimed by another runner.
        let until = until.filter(|until| !until.is_zero());
        Ok(until.map_or(self.settings.poll, |until| until.min(self.settings.poll)))
    }

    /// Has all fire that are due, and says how many these were. One that fails keeps none of the others; the first error is the
    /// answer in the end.
    pub(super) async fn all(&mut self) -> Result<usize, Error> {
        let (mut fired, mut failed) = (0, Ok(()));
        loop {
            let claimed = self.claim().await?.claimed;
            let before = fired;
            for deadline in &claimed {
                match self.fire(deadline).await {
                    Ok(()) => fired += 1,
                    Err(error) if is_of_store(&error) => return Err(error),
                    Err(error) => failed = failed.and(Err(error)),
                }
            }
            // Those that have failed come again when their claim has passed.
            if fired == before {
                return failed.map(|()| fired);
            }
        }
    }

    async fn fire(&self, deadline: &PendingDeadline) -> Result<(), Error> {
        let fired = self.engine.fire(deadline).await;
        fired.map(drop).inspect_err(|error| {
            count_failed(P::NAME);
            let (key, error) = (&*deadline.key, error_chain(error));
            let deadline = &*deadline.deadline;
            tracing::warn!(process = P::NAME, key, deadline, error, "a deadline failed and is tried again");
        })
    }

    async fn claim(&self) -> Result<DueDeadlines, Error> {
        let now = self.engine.env.now();
        let until = now.checked_add(self.settings.lease).unwrap_or(now);
        self.engine.store.claim_due(P::NAME, now, until, CLAIM).await
    }

    async fn look(&mut self) -> Result<(), Error> {
        let now = self.engine.env.instant();
        if now >= self.look_at {
            self.look_at = now + LOOK;
            show(P::NAME, &self.engine.store.counts(P::NAME, self.engine.env.now()).await?);
        }
        Ok(())
    }
}

/// Whether `error` is one of the store, which the next deadline would meet too.
fn is_of_store(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Closed => true,
        ErrorKind::Store => error.is_retryable(),
        _ => false,
    }
}
