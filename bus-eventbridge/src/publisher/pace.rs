//! How fast requests follow each other: as fast as they may, until EventBridge throttles.
//!
//! Additive increase, multiplicative decrease: throttling halves the rate, once for all requests that were under way then, and
//! each request that is taken adds one request a second.

use std::time::Duration;

use tokio::time::Instant;

/// The gap that the first throttling makes.
const FIRST: Duration = Duration::from_millis(20);
/// No gap is longer.
const LONGEST: Duration = Duration::from_secs(2);
/// A shorter gap is none.
const SHORTEST: Duration = Duration::from_millis(2);

/// When the next request may be sent.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Between the beginnings of two requests.
    gap: Duration,
    next: Option<Instant>,
    slowed: Option<Instant>,
}

impl Pace {
    /// Takes the next place: when a request may be sent that wants to be sent `now`.
    pub(crate) fn place(&mut self, now: Instant) -> Instant {
        let place = self.next.map_or(now, |next| next.max(now));
        self.next = (!self.gap.is_zero()).then(|| place + self.gap);
        place
    }

    /// A request that was sent at `sent` was throttled.
    pub(crate) fn throttled(&mut self, sent: Instant, now: Instant) {
        if self.slowed.is_some_and(|slowed| sent < slowed) {
            return;
        }
        self.gap = (self.gap * 2).clamp(FIRST, LONGEST);
        self.slowed = Some(now);
        self.next = Some(self.next.unwrap_or(now).max(now + self.gap));
    }

    /// A request was taken.
    pub(crate) fn taken(&mut self) {
        let gap = self.gap.as_secs_f64();
        self.gap = Duration::from_secs_f64(gap / (1.0 + gap));
        if self.gap < SHORTEST {
            self.gap = Duration::ZERO;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_the_rate_once_for_what_was_under_way() {
        let now = jitney_core::Env::seeded(1).instant();
        let mut pace = Pace::default();
        assert_eq!((pace.place(now), pace.place(now)), (now, now));
        let later = now + Duration::from_millis(5);
        pace.throttled(now, later);
        pace.throttled(now, later);
        assert_eq!(pace.gap, FIRST);
        pace.throttled(later, later);
        assert_eq!(pace.gap, FIRST * 2);
        let first = pace.place(later);
        assert!(first > later);
        assert_eq!(pace.place(later), first + FIRST * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_speeds_up_again_until_there_is_no_gap() {
        let now = jitney_core::Env::seeded(1).instant();
        let mut pace = Pace::default();
        for second in 0..20 {
            let sent = now + Duration::from_secs(second);
            pace.throttled(sent, sent);
        }
        assert_eq!(pace.gap, LONGEST);
        pace.taken();
        assert!(pace.gap < LONGEST);
        (0..1_000).for_each(|_| pace.taken());
        assert_eq!(pace.gap, Duration::ZERO);
    }
}
