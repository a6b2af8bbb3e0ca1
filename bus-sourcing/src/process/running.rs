//! A runner that is at work.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::RunnerStatus;
use crate::{Error, ErrorKind};

/// A runner on tasks of its own. Dropping it stops it, without waiting for what it is doing.
#[derive(Debug)]
pub struct RunningProcess {
    stop: Option<watch::Sender<()>>,
    tasks: Vec<JoinHandle<Result<(), Error>>>,
    status: Arc<Mutex<RunnerStatus>>,
}

/// Ends when the runner is to stop.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<()>);

impl Stop {
    /// Whether it is to stop.
    pub(super) fn is_told(&self) -> bool {
        self.0.has_changed().is_err()
    }

    pub(super) async fn wait(&mut self) {
        // Nothing is ever sent: the sender is dropped.
        while self.0.changed().await.is_ok() {}
    }
}

impl RunningProcess {
    pub(super) fn new(status: Arc<Mutex<RunnerStatus>>) -> (Self, Stop) {
        let (sender, receiver) = watch::channel(());
        (RunningProcess { stop: Some(sender), tasks: Vec::new(), status }, Stop(receiver))
    }

    pub(super) fn with_tasks<const N: usize>(
        mut self,
        tasks: [Option<JoinHandle<Result<(), Error>>>; N],
    ) -> Self {
        self.tasks.extend(tasks.into_iter().flatten());
        self
    }

    /// How it is doing.
    pub fn status(&self) -> RunnerStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has it finish the step that it is making, and let others follow the event store at once. Deadlines that it has claimed and
    /// that have not fired yet fire when the lease has passed.
    ///
    /// # Errors
    ///
    /// When others could not be let: they follow when the lease has passed.
    ///
    /// # Cancellation
    ///
    /// The runner stops all the same.
    pub async fn shutdown(mut self) -> Result<(), Error> {
        drop(self.stop.take());
        let mut ended = Ok(());
        for task in std::mem::take(&mut self.tasks) {
            let result = task.await.unwrap_or_else(|error| {
                let what = "waiting for the runner of a process manager to end: its task has panicked";
                Err(Error::new(ErrorKind::Closed, what).with_source(error))
            });
            ended = ended.and(result);
        }
        ended
    }

    /// Ends it at once, in the middle of whatever it does, as a crash of the program would.
    pub fn abort(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
