//! A circuit breaker: a handler that keeps failing is left alone for a while, its events wait in their lanes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::Env;

/// When a breaker opens, and for how long.
///
/// Attempts that fail while it is not closed are not counted against their event. So a single event that always fails is
/// tried for ever where `failures` is smaller than its number of attempts and no other event succeeds in between; the
/// lag shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct BreakerPolicy {
    /// It opens behind so many failed attempts in a row.
    pub failures: u32,
    /// It lets one event through behind this time; when that one succeeds, all others follow.
    pub pause: Duration,
}

impl Default for BreakerPolicy {
    /// 10 failures in a row, 10 s.
    fn default() -> Self {
        BreakerPolicy { failures: 10, pause: Duration::from_secs(10) }
    }
}

impl BreakerPolicy {
    /// This one, with a pause of no more than `limit`.
    pub(crate) fn at_most(self, limit: Duration) -> Self {
        BreakerPolicy { pause: self.pause.min(limit), ..self }
    }
}

/// What a breaker does with attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Lets them through.
    Closed,
    /// Holds them back.
    Open,
    /// Lets one through, to see.
    HalfOpen,
}

/// The breaker of one handler.
#[derive(Debug)]
pub(crate) struct Breaker {
    policy: BreakerPolicy,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug)]
enum Inner {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen,
}

/// Permission for one attempt. Dropped without an answer (a timeout, a lost assignment), it opens a probe's way again.
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    env: &'a Env,
    probe: bool,
    answered: bool,
}

impl Breaker {
    pub(crate) fn new(policy: BreakerPolicy) -> Self {
        let inner = Mutex::new(Inner::Closed { failures: 0 });
        Breaker { policy, inner, changed: Notify::new() }
    }

    pub(crate) fn state(&self) -> BreakerState {
        match *self.lock() {
            Inner::Closed { .. } => BreakerState::Closed,
            Inner::Open { .. } => BreakerState::Open,
            Inner::HalfOpen => BreakerState::HalfOpen,
        }
    }

    /// Waits until an attempt may be made.
    pub(crate) async fn permit<'a>(&'a self, env: &'a Env) -> Permit<'a> {
        loop {
            let changed = self.changed.notified();
            let wait = {
                let mut inner = self.lock();
                match *inner {
                    Inner::Closed { .. } => {
                        return Permit { breaker: self, env, probe: false, answered: false };
                    }
                    Inner::Open { until } => {
                        let now = env.instant();
                        if now >= until {
                            *inner = Inner::HalfOpen;
                            return Permit { breaker: self, env, probe: true, answered: false };
                        }
                        Some(until - now)
                    }
                    Inner::HalfOpen => None,
                }
            };
            match wait {
                Some(wait) => drop(env.timeout(wait, changed).await),
                None => changed.await,
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state by what it is, in one step: attempts may end at the same time.
    fn change(&self, next: impl FnOnce(&Inner) -> Option<Inner>) {
        let mut inner = self.lock();
        if let Some(next) = next(&inner) {
            *inner = next;
            drop(inner);
            self.changed.notify_waiters();
        }
    }
}

impl Permit<'_> {
    pub(crate) fn succeeded(mut self) {
        self.answered = true;
        self.breaker.change(|inner| match inner {
            Inner::Closed { failures: 0 } => None,
            Inner::Closed { .. } => Some(Inner::Closed { failures: 0 }),
            Inner::Open { .. } | Inner::HalfOpen => self.probe.then_some(Inner::Closed { failures: 0 }),
        });
    }

    pub(crate) fn failed(mut self) {
        self.answered = true;
        let policy = self.breaker.policy;
        let until = self.env.instant() + policy.pause;
        self.breaker.change(|inner| match inner {
            Inner::Closed { failures } if failures + 1 < policy.failures => {
                Some(Inner::Closed { failures: failures + 1 })
            }
            Inner::Closed { .. } => Some(Inner::Open { until }),
            Inner::Open { .. } | Inner::HalfOpen => self.probe.then_some(Inner::Open { until }),
        });
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe && !self.answered {
            let until = self.env.instant();
            self.breaker.change(|_| Some(Inner::Open { until }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerPolicy { failures: 2, pause: Duration::from_secs(10) })
    }

    #[tokio::test(start_paused = true)]
    async fn opens_behind_failures_in_a_row_and_closes_behind_a_probe_that_succeeds() {
        let (env, breaker) = (Env::seeded(1), breaker());
        breaker.permit(&env).await.failed();
        breaker.permit(&env).await.succeeded();
        breaker.permit(&env).await.failed();
        assert_eq!(breaker.state(), BreakerState::Closed, "a success in between starts the count again");
        breaker.permit(&env).await.failed();
        assert_eq!(breaker.state(), BreakerState::Open);

        let opened = env.now();
        let probe = breaker.permit(&env).await;
        assert_eq!(env.now().duration_since(opened).as_secs(), 10);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        let second = env.timeout(Duration::from_secs(60), breaker.permit(&env)).await;
        assert!(second.is_err(), "only one attempt goes through a half-open breaker");
        probe.succeeded();
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn opens_again_when_the_probe_fails_or_is_abandoned() {
        let (env, breaker) = (Env::seeded(1), breaker());
        breaker.permit(&env).await.failed();
        breaker.permit(&env).await.failed();
        breaker.permit(&env).await.failed();
        assert_eq!(breaker.state(), BreakerState::Open);
        drop(breaker.permit(&env).await);
        assert_eq!(breaker.state(), BreakerState::Open);
        breaker.permit(&env).await.succeeded();
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
