//! What a history is held against.

use std::time::Duration;

use jitney_core::Capabilities;

/// What may be expected of a transport; the default is the strictest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expectations {
    /// Events of one key reach a group in the order in which they were published.
    pub ordered: bool,
    /// Everything that was acked is settled at the end, and not only delivered.
    pub drained: bool,
    /// An event may come twice without a cause.
    pub free_duplicates: bool,
    /// What is settled behind an unsettled delivery of the same partition may come again when the partition
    /// changes hands, as in a log with one committed position.
    pub settles_up_to_a_gap: bool,
    /// A fault may undo a settlement that was answered before it.
    pub faults_undo_settlements: bool,
    /// What is being published when a fault happens may be stored twice, as by a publisher that sends again what was not
    /// answered.
    pub faults_repeat_publishes: bool,
    /// What stays unsettled for this long may come again.
    pub settle_within: Option<Duration>,
    /// How far the clocks of two recorders may be apart.
    pub clock_slack: Duration,
}

impl Default for Expectations {
    fn default() -> Self {
        Expectations {
            ordered: true,
            drained: true,
            free_duplicates: false,
            settles_up_to_a_gap: false,
            faults_undo_settlements: false,
            faults_repeat_publishes: false,
            settle_within: None,
            clock_slack: Duration::ZERO,
        }
    }
}

impl Expectations {
    /// What a transport's capabilities promise.
    pub fn of(capabilities: &Capabilities) -> Self {
        Expectations {
            ordered: capabilities.ordered,
            settles_up_to_a_gap: capabilities.replayable,
            settle_within: capabilities.settle_within,
            ..Expectations::default()
        }
    }

    /// With or without order per key.
    #[must_use]
    pub fn ordered(mut self, ordered: bool) -> Self {
        self.ordered = ordered;
        self
    }

    /// With or without everything settled at the end.
    #[must_use]
    pub fn drained(mut self, drained: bool) -> Self {
        self.drained = drained;
        self
    }

    /// With or without leave to deliver twice for no cause.
    #[must_use]
    pub fn free_duplicates(mut self, free: bool) -> Self {
        self.free_duplicates = free;
        self
    }

    /// With or without leave to repeat what was settled behind a gap.
    #[must_use]
    pub fn settles_up_to_a_gap(mut self, gap: bool) -> Self {
        self.settles_up_to_a_gap = gap;
        self
    }

    /// With or without leave for faults to undo settlements.
    #[must_use]
    pub fn faults_undo_settlements(mut self, undo: bool) -> Self {
        self.faults_undo_settlements = undo;
        self
    }

    /// With or without leave for faults to repeat what is being published.
    #[must_use]
    pub fn faults_repeat_publishes(mut self, repeat: bool) -> Self {
        self.faults_repeat_publishes = repeat;
        self
    }

    /// With clocks that may be apart by so much.
    #[must_use]
    pub fn clock_slack(mut self, slack: Duration) -> Self {
        self.clock_slack = slack;
        self
    }
}
