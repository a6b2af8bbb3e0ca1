//! When a repository makes snapshots.

use std::time::Duration;

use jiff::Timestamp;

/// When a repository makes a snapshot of what it has just appended to.
///
/// ```
/// use std::time::Duration;
/// use jitney_sourcing::SnapshotPolicy;
///
/// let policy = SnapshotPolicy::every(100).or_older_than(Duration::from_secs(24 * 3600));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct SnapshotPolicy {
    events: u64,
    age: Option<Duration>,
}

impl SnapshotPolicy {
    /// When `events` events or more have come since the last snapshot; each time where it is 0.
    pub const fn every(events: u64) -> Self {
        SnapshotPolicy { events, age: None }
    }

    /// Also when the last snapshot (or, where there is none, the first event) is older than `age`.
    pub const fn or_older_than(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// Whether one is due, `events` events behind the last one, which was made at `since`.
    pub(crate) fn is_due(&self, events: u64, since: Timestamp, now: Timestamp) -> bool {
        let old =
            || self.age.is_some_and(|age| now.duration_since(since).unsigned_abs() > age && now > since);
        events > 0 && (events >= self.events || old())
    }
}
