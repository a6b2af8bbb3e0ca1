//! A relay that is at work.

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Relay;
use crate::{Error, ErrorKind};

/// A relay on a task of its own. Dropping it stops it, without waiting for what it is doing.
#[derive(Debug)]
pub struct RunningRelay {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), Error>>,
}

impl RunningRelay {
    pub(super) fn new(relay: Relay) -> Self {
        let (stop, stopped) = oneshot::channel();
        let env = relay.env().clone();
        let task = env.spawn(relay.run(async {
            // A sender that is dropped says the same.
            let _ = stopped.await;
        }));
        RunningRelay { stop: Some(stop), task }
    }

    /// Has it finish the events that it is publishing, and give up its shards so that others need not wait for its lease.
    ///
    /// # Errors
    ///
    /// When the shards could not be given up: others take them when the lease has passed.
    ///
    /// # Cancellation
    ///
    /// The relay stops all the same.
    pub async fn shutdown(mut self) -> Result<(), Error> {
        drop(self.stop.take());
        let task = &mut self.task;
        task.await.unwrap_or_else(|error| {
            let what = "waiting for a relay of the outbox to end: its task has panicked";
            Err(Error::new(ErrorKind::Closed, what).with_source(error))
        })
    }
}

impl Drop for RunningRelay {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}
