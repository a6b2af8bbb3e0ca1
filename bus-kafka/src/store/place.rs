//! A partition that is followed: how far this process has read it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jitney_core::Env;
use jitney_core::message::{Message, Topic};
use jitney_sourcing::{Error, ErrorKind};
use tokio::sync::watch;

/// Something that is made of the records of a partition.
pub(super) trait Follower: Send + Sync {
    /// Which partition.
    fn place(&self) -> &Place;

    /// Takes the next record, which lies at `offset`.
    fn take(&self, offset: u64, message: Message);
}

/// A partition, and how far it was read.
pub(super) struct Place {
    pub(super) topic: Topic,
    pub(super) partition: i32,
    /// As it stands in positions.
    pub(super) name: Box<str>,
    reached: Mutex<Reached>,
    grown: Condvar,
    /// The same for those who do not block.
    position: watch::Sender<u64>,
}

#[derive(Default)]
struct Reached {
    /// Everything before it was taken.
    position: u64,
    /// Why it goes no further.
    failure: Option<String>,
}

impl Place {
    pub(super) fn new(topic: &str, partition: u32) -> Self {
        Place {
            topic: Topic::from(topic.to_owned()),
            partition: i32::try_from(partition).unwrap_or(i32::MAX),
            name: format!("{topic}-{partition}").into(),
            reached: Mutex::default(),
            grown: Condvar::new(),
            position: watch::Sender::new(0),
        }
    }

    /// Everything before it was taken.
    pub(super) fn position(&self) -> u64 {
        *self.position.borrow()
    }

    /// Everything before `position` was taken.
    pub(super) fn reach(&self, position: u64) {
        let mut reached = self.lock();
        if reached.position < position {
            reached.position = position;
            drop(reached);
            self.position.send_replace(position);
            self.grown.notify_all();
        }
    }

    /// It cannot be read any further.
    pub(super) fn fail(&self, what: String) {
        tracing::error!(partition = &*self.name, what, "a partition of the event store cannot be read");
        self.lock().failure = Some(what);
        // Those who wait look again.
        self.position.send_modify(|_| {});
        self.grown.notify_all();
    }

    /// Fails where the partition ends at `end`, and has been read further before: `position` is of before the question.
    ///
    /// # Errors
    ///
    /// Then.
    pub(super) fn check_end(&self, position: u64, end: u64) -> Result<(), Error> {
        if end < position {
            self.fail(format!(
                "partition {} ends at offset {end}, and was read up to {position} before: its topic was made anew, or has lost \
                 records; restore it, and open the store anew",
                self.name
            ));
        }
        self.check()
    }

    /// Waits until everything before `target` was taken.
    ///
    /// # Errors
    ///
    /// When that is not so within `limit`, or cannot be.
    pub(super) async fn reached(&self, target: u64, env: &Env, limit: Duration) -> Result<(), Error> {
        let mut position = self.position.subscribe();
        let waited = env
            .timeout(limit, async {
                while *position.borrow_and_update() < target {
                    self.check()?;
                    // The sender lives as long as this.
                    let _ = position.changed().await;
                }
                Ok(())
            })
            .await;
        waited.unwrap_or_else(|_| Err(self.late(target, limit)))
    }

    /// Blocks until `is_so`, which is asked with each step forward.
    ///
    /// # Errors
    ///
    /// As [`reached`](Self::reached).
    pub(super) fn block_until(
        &self,
        limit: Duration,
        mut is_so: impl FnMut(u64) -> bool,
    ) -> Result<(), Error> {
        let waiting = |reached: &mut Reached| reached.failure.is_none() && !is_so(reached.position);
        let waited = self.grown.wait_timeout_while(self.lock(), limit, waiting);
        let (reached, result) = waited.unwrap_or_else(PoisonError::into_inner);
        let position = reached.position;
        drop(reached);
        self.check()?;
        if result.timed_out() { Err(self.late(position + 1, limit)) } else { Ok(()) }
    }

    fn check(&self) -> Result<(), Error> {
        match &self.lock().failure {
            Some(what) => Err(Error::new(ErrorKind::Store, what.clone()).retryable(false)),
            None => Ok(()),
        }
    }

    fn late(&self, target: u64, limit: Duration) -> Error {
        let what = format!(
            "reading partition {} up to offset {target}: it was read up to {} after {limit:?}; try again, or allow more with \
             `answer_within`",
            self.name,
            self.position()
        );
        Error::new(ErrorKind::Store, what)
    }

    fn lock(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_ends_before_what_was_read_of_it_is_not_used_any_more() {
        let place = Place::new("orders", 0);
        place.reach(7);
        place.check_end(7, 7).unwrap();
        place.check_end(7, 9).unwrap();
        let error = place.check_end(7, 6).unwrap_err();
        assert!(error.to_string().contains("ends at offset 6, and was read up to 7"), "{error}");
        assert!(!error.is_retryable());
        assert!(place.check_end(7, 9).is_err(), "it is never used again");
    }
}
