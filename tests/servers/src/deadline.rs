//! Waiting for something that other processes do, with a bound.

use std::thread;
use std::time::{Duration, Instant};

/// The end of a wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
}

impl Deadline {
    /// The end of a wait of `limit` that begins now.
    pub(crate) fn after(limit: Duration) -> Self {
        Self { at: now() + limit }
    }

    /// How much of the wait is left.
    pub(crate) fn left(&self) -> Duration {
        self.at.saturating_duration_since(now())
    }

    /// Asks every tenth of a second until `ask` says so, and at least once; false if the time is over first.
    pub(crate) fn wait_until(&self, mut ask: impl FnMut() -> bool) -> bool {
        loop {
            if ask() {
                return true;
            }
            let left = self.left();
            if left.is_zero() {
                return false;
            }
            thread::sleep(left.min(Duration::from_millis(100)));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a server's time is the machine's, not that of a test's clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_once_even_if_the_time_is_over() {
        let over = Deadline::after(Duration::ZERO);
        assert!(over.wait_until(|| true));
        assert!(!over.wait_until(|| false));
    }
}
