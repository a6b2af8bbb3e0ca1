//! How failed attempts are repeated.

use std::time::Duration;

use crate::Env;

/// How often, and after what delays, a handler that failed is tried again.
///
/// Delays grow exponentially with full jitter: the n-th is uniform between zero and `from` × 2ⁿ⁻¹, at most `to`
/// (Brooker, *Exponential Backoff and Jitter*, AWS Architecture Blog, 2015).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct RetryPolicy {
    /// All attempts, the first one included; at least 1.
    pub attempts: u32,
    /// The largest first delay.
    pub from: Duration,
    /// No delay is longer.
    pub to: Duration,
    /// The broker holds the delivery back meanwhile, and the later events of its key overtake it. Only for handlers
    /// that are not `ordered`. Without it, the delivery waits in its lane.
    pub delayed: bool,
}

impl Default for RetryPolicy {
    /// 5 attempts, 100 ms to 30 s, in place.
    fn default() -> Self {
        RetryPolicy {
            attempts: 5,
            from: Duration::from_millis(100),
            to: Duration::from_secs(30),
            delayed: false,
        }
    }
}

impl RetryPolicy {
    /// So many attempts, with the default delays.
    pub fn attempts(attempts: u32) -> Self {
        RetryPolicy { attempts, ..RetryPolicy::default() }
    }

    /// A single attempt.
    pub fn never() -> Self {
        RetryPolicy::attempts(1)
    }

    /// With the largest first delay `from` and no delay beyond `to`.
    pub fn between(mut self, from: Duration, to: Duration) -> Self {
        (self.from, self.to) = (from, to);
        self
    }

    /// By the broker's delay and not in the lane.
    pub fn delayed(mut self) -> Self {
        self.delayed = true;
        self
    }

    /// The delay behind attempt `failed` (from 1).
    pub fn delay(&self, env: &Env, failed: u32) -> Duration {
        let doubled = 2_u32.checked_pow(failed.saturating_sub(1)).unwrap_or(u32::MAX);
        env.random_up_to(self.from.saturating_mul(doubled).min(self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn delays_grow_up_to_their_bound() {
        let (env, policy) = (Env::seeded(1), RetryPolicy::default());
        for failed in [1, 2, 5, 9, 40, u32::MAX] {
            let bound = Duration::from_millis(100).saturating_mul(1 << (failed - 1).min(20)).min(policy.to);
            assert!((0..100).all(|_| policy.delay(&env, failed) <= bound));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn delays_spread_over_their_whole_range() {
        let (env, policy) = (Env::seeded(1), RetryPolicy::default());
        let delays: Vec<_> = (0..200).map(|_| policy.delay(&env, 1)).collect();
        assert!(delays.iter().any(|delay| *delay < Duration::from_millis(20)));
        assert!(delays.iter().any(|delay| *delay > Duration::from_millis(80)));
    }
}
