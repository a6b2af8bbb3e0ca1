//! Time, randomness, ids and tasks: everything that a test or a simulation must be able to control.
//!
//! Nothing in this crate reads a clock or a random number anywhere else.
//!
//! ```
//! use jitney_core::Env;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let env = Env::seeded(7); // time stands still until nothing else can run, and the same seed gives the same ids
//! let (before, again) = (env.now(), Env::seeded(7));
//! env.sleep(std::time::Duration::from_secs(3600)).await;
//! assert_eq!(env.now().duration_since(before).as_secs(), 3600);
//! assert_eq!(env.random(), again.random());
//! # });
//! ```

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Id;

/// Where time, randomness, ids and tasks come from; cheap to clone.
#[derive(Clone, Default)]
pub struct Env(Option<Arc<Seeded>>);

struct Seeded {
    seed: u64,
    random: Mutex<fastrand::Rng>,
    epoch: Timestamp,
    started: Instant,
}

/// The time elapsed beyond a limit, as the error of [`Env::timeout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit has passed")
    }
}

impl std::error::Error for Elapsed {}

// The one place that may read the clock and start tasks.
#[allow(clippy::disallowed_methods)]
impl Env {
    /// The clock and the randomness of the system.
    pub fn system() -> Self {
        Env(None)
    }

    /// Randomness from `seed`, and a clock that starts at 2026-01-01 and follows tokio's, which tests pause.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime whose clock is paused, where it would follow the real clock.
    pub fn seeded(seed: u64) -> Self {
        Env(Some(Arc::new(Seeded {
            seed,
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            epoch: Timestamp::constant(1_767_225_600, 0),
            started: Instant::now(),
        })))
    }

    /// The seed, where there is one.
    pub fn seed(&self) -> Option<u64> {
        self.0.as_ref().map(|seeded| seeded.seed)
    }

    /// The time of day, in whole milliseconds.
    pub fn now(&self) -> Timestamp {
        let now = match &self.0 {
            None => Timestamp::now(),
            Some(seeded) => seeded.epoch + seeded.started.elapsed(),
        };
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// A clock for durations, which never goes back.
    pub fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Waits for `duration`. Dropping the future cancels it.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Waits for `future`, for no longer than `limit`. Dropping this drops the future.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] when the limit has passed; the future has then been dropped.
    pub fn timeout<F: Future>(
        &self,
        limit: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + use<F> {
        tokio::time::timeout(limit, future).map(|result| result.map_err(|_| Elapsed))
    }

    /// Waits for `future` until `deadline`. Dropping this drops the future.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] when the deadline has passed; the future has then been dropped.
    pub fn timeout_at<F: Future>(
        &self,
        deadline: Instant,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + use<F> {
        tokio::time::timeout_at(deadline, future).map(|result| result.map_err(|_| Elapsed))
    }

    /// A random number.
    pub fn random(&self) -> u64 {
        match &self.0 {
            None => fastrand::u64(..),
            Some(seeded) => seeded.random.lock().unwrap_or_else(PoisonError::into_inner).u64(..),
        }
    }

    /// A random duration from zero up to `most`.
    pub fn random_up_to(&self, most: Duration) -> Duration {
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(self.random() % (nanos + 1))
    }

    /// A new event id: a version 7 UUID ([RFC 9562, section 5.7](https://www.rfc-editor.org/rfc/rfc9562#section-5.7)).
    pub fn new_id(&self) -> Id {
        let millis = u64::try_from(self.now().as_millisecond()).unwrap_or(0);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.random().to_le_bytes());
        random[8..].copy_from_slice(&self.random().to_le_bytes()[..2]);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().into()
    }

    /// Runs `future` as a task of its own.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        tokio::task::spawn(future)
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seed() {
            None => f.write_str("Env::system()"),
            Some(seed) => write!(f, "Env::seeded({seed})"),
        }
    }
}
