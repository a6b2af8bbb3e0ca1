//! Which offset of a partition can be committed while deliveries finish out of order.
//!
//! ```
//! use jitney_core::transport::OffsetTracker;
//!
//! let mut tracker = OffsetTracker::new(40);
//! for offset in [40, 41, 44] { // a log may have holes
//!     assert!(tracker.track(offset));
//! }
//! tracker.settle(41);
//! assert_eq!(tracker.position(), 40); // 40 would be lost if more were committed
//! tracker.settle(40);
//! assert_eq!(tracker.position(), 44);
//! ```

use std::collections::VecDeque;

/// Follows the deliveries of one partition of a log: a group may commit up to the lowest offset that is not
/// settled, never beyond.
///
/// What is settled above that offset is remembered here and forgotten when the partition moves elsewhere: it is
/// delivered again. So that neither this memory nor that repetition grows without bound, the distance is limited
/// ([`MAX_GAP`](OffsetTracker::MAX_GAP) offsets unless told otherwise): without [`room`](OffsetTracker::room) a
/// backend stops to deliver from the partition until the lowest offset is settled.
#[derive(Debug, Clone)]
pub struct OffsetTracker {
    /// Ascending, from the lowest unsettled offset on.
    tracked: VecDeque<Tracked>,
    /// Where the log goes on when everything that is tracked is settled.
    next: u64,
    unsettled: usize,
    gap: usize,
}

#[derive(Debug, Clone, Copy)]
struct Tracked {
    offset: u64,
    settled: bool,
}

impl OffsetTracker {
    /// How many offsets are tracked at most, from the lowest unsettled one on, unless told otherwise.
    pub const MAX_GAP: usize = 10_000;

    /// A tracker for a partition that is read from `position` on.
    pub fn new(position: u64) -> Self {
        OffsetTracker::with_gap(position, OffsetTracker::MAX_GAP)
    }

    /// The same, tracking at most `gap` offsets (at least one) from the lowest unsettled one on.
    pub fn with_gap(position: u64, gap: usize) -> Self {
        OffsetTracker { tracked: VecDeque::new(), next: position, unsettled: 0, gap: gap.max(1) }
    }

    /// What a group may commit: the offset that it would go on with after a restart.
    pub fn position(&self) -> u64 {
        self.tracked.front().map_or(self.next, |lowest| lowest.offset)
    }

    /// What a group could commit if the offsets that `is_settled` says yes to were settled as well.
    pub fn position_with(&self, is_settled: impl Fn(u64) -> bool) -> u64 {
        let open = |tracked: &&Tracked| !tracked.settled && !is_settled(tracked.offset);
        self.tracked.iter().find(open).map_or(self.next, |lowest| lowest.offset)
    }

    /// Where the log goes on behind everything that is tracked.
    pub fn end(&self) -> u64 {
        self.next
    }

    /// How many more offsets can be tracked.
    pub fn room(&self) -> usize {
        self.gap.saturating_sub(self.tracked.len())
    }

    /// How many offsets were delivered and are not settled.
    pub fn unsettled(&self) -> usize {
        self.unsettled
    }

    /// Notes that `offset` is delivered. Answers whether it is tracked now: an offset that is not above all
    /// earlier ones is a repetition, and is not.
    ///
    /// An offset for which there is no [`room`](OffsetTracker::room) is tracked all the same: the bound is kept by
    /// not fetching it.
    pub fn track(&mut self, offset: u64) -> bool {
        if offset < self.next {
            return false;
        }
        self.tracked.push_back(Tracked { offset, settled: false });
        self.next = offset + 1;
        self.unsettled += 1;
        true
    }

    /// Notes that `offset` is settled. Answers whether that is news: it was tracked, and not settled before.
    pub fn settle(&mut self, offset: u64) -> bool {
        let Some(tracked) = self.find(offset).filter(|tracked| !tracked.settled) else { return false };
        tracked.settled = true;
        self.unsettled -= 1;
        while self.tracked.front().is_some_and(|lowest| lowest.settled) {
            self.tracked.pop_front();
        }
        true
    }

    /// Whether `offset` was delivered and is not settled.
    pub fn is_unsettled(&self, offset: u64) -> bool {
        self.index(offset).is_some_and(|index| !self.tracked[index].settled)
    }

    /// Forgets everything and goes on from `position`: the partition was assigned anew, or sent back.
    pub fn reset(&mut self, position: u64) {
        self.tracked.clear();
        self.next = position;
        self.unsettled = 0;
    }

    fn find(&mut self, offset: u64) -> Option<&mut Tracked> {
        let index = self.index(offset)?;
        self.tracked.get_mut(index)
    }

    /// Without holes the place follows from the offset; with holes it lies before that place.
    fn index(&self, offset: u64) -> Option<usize> {
        let distance = offset.checked_sub(self.tracked.front()?.offset)?;
        let guess = usize::try_from(distance).unwrap_or(usize::MAX).min(self.tracked.len() - 1);
        if self.tracked[guess].offset == offset {
            return Some(guess);
        }
        self.tracked.binary_search_by_key(&offset, |tracked| tracked.offset).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// The definition, without any cleverness: offsets and whether they are settled.
    #[derive(Default)]
    struct Model(BTreeMap<u64, bool>);

    impl Model {
        fn position(&self, first: u64) -> u64 {
            let lowest = self.0.iter().find(|(_, settled)| !**settled).map(|(offset, _)| *offset);
            lowest.unwrap_or_else(|| self.0.keys().next_back().map_or(first, |last| last + 1))
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Track { hole: u64 },
        Settle { offset: u64 },
        Reset { position: u64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            10 => (0..4_u64).prop_map(|hole| Step::Track { hole }),
            10 => (0..80_u64).prop_map(|offset| Step::Settle { offset }),
            1 => (0..40_u64).prop_map(|position| Step::Reset { position }),
        ]
    }

    proptest! {
        #[test]
        fn commits_exactly_up_to_the_lowest_unsettled_offset(
            first in 0..20_u64,
            steps in prop::collection::vec(step(), 0..120),
        ) {
            let (mut tracker, mut model, mut start, mut next) =
                (OffsetTracker::with_gap(first, 16), Model::default(), first, first);
            for step in steps {
                match step {
                    Step::Track { hole } if tracker.room() > 0 => {
                        next += hole;
                        prop_assert!(tracker.track(next));
                        prop_assert!(!tracker.track(next), "a repetition is not tracked");
                        model.0.insert(next, false);
                        next += 1;
                    }
                    Step::Track { .. } => {}
                    Step::Settle { offset } => {
                        let news = model.0.get(&offset) == Some(&false);
                        prop_assert_eq!(tracker.is_unsettled(offset), news);
                        prop_assert_eq!(tracker.settle(offset), news);
                        model.0.entry(offset).and_modify(|settled| *settled = true);
                    }
                    Step::Reset { position } => {
                        tracker.reset(position);
                        model.0.clear();
                        (start, next) = (position, position);
                    }
                }
                prop_assert_eq!(tracker.position(), model.position(start));
                prop_assert_eq!(tracker.unsettled(), model.0.values().filter(|settled| !**settled).count());
                prop_assert!(tracker.tracked.len() <= 16);
            }
        }
    }

    #[test]
    fn has_no_room_until_the_lowest_offset_is_settled() {
        let mut tracker = OffsetTracker::with_gap(0, 3);
        for offset in 0..3 {
            tracker.track(offset);
        }
        tracker.settle(1);
        tracker.settle(2);
        assert_eq!((tracker.room(), tracker.position()), (0, 0));
        tracker.settle(0);
        assert_eq!((tracker.room(), tracker.position()), (3, 3));
    }
}
