//! Whether a second delivery of an event has a cause.

use super::index::{Delivered, Index};
use super::{Expectations, Record, SettledAs};

/// What to say of an event that came again.
#[derive(Debug)]
pub(super) enum Again {
    /// Something explains it.
    Explained,
    /// It had been settled, and nothing undid that.
    Settled,
    /// It was still with a member that did nothing to give it away.
    Unexplained,
}

/// Looks for the cause of `next`, given an earlier delivery of the same event to the same group.
pub(super) fn judge<'h>(
    index: &Index<'h>,
    expected: &Expectations,
    earlier: &Delivered<'h>,
    next: &Delivered<'h>,
) -> Again {
    let slack = expected.clock_slack;
    let between =
        |record: &&Record| !record.is_before(earlier.record, slack) && !next.record.is_before(record, slack);
    let rewound = index.rewinds.get(next.group).is_some_and(|rewinds| rewinds.iter().any(between));
    let event = &next.arrival.event;
    let stored_twice = expected.faults_repeat_publishes && index.published_through_a_fault(event, slack);
    if expected.free_duplicates || rewound || stored_twice || !index.published_once(event) {
        return Again::Explained;
    }
    let fault = index.faults.iter().any(between);
    match index.done(earlier) {
        Some(settled) if settled.is_before(next.record, slack) => {
            let undone = fault && expected.faults_undo_settlements;
            if undone || was_in_vain(index, expected, earlier, settled, next) {
                Again::Explained
            } else {
                Again::Settled
            }
        }
        _ if fault || was_given_away(index, expected, earlier, next) => Again::Explained,
        _ => Again::Unexplained,
    }
}

/// Whether a settlement came too late to count, or lies behind a gap that was handed over.
fn was_in_vain<'h>(
    index: &Index<'h>,
    expected: &Expectations,
    earlier: &Delivered<'h>,
    settled: &'h Record,
    next: &Delivered<'h>,
) -> bool {
    let slack = expected.clock_slack;
    let too_late = |end: Option<&Record>| end.is_some_and(|end| !settled.is_before(end, slack));
    let retried_first = matches!(index.settlements(earlier).next(), Some((_, SettledAs::Retry, true)));
    retried_first
        || index.lost(earlier).is_some()
        || too_late(index.revoked(earlier))
        || too_late(index.left(earlier))
        || took_too_long(expected, earlier.record, settled)
        || (expected.settles_up_to_a_gap && lies_behind_a_gap(index, expected, earlier, next))
}

/// Whether the earlier delivery was retried, failed to settle, or left behind by its member.
fn was_given_away<'h>(
    index: &Index<'h>,
    expected: &Expectations,
    earlier: &Delivered<'h>,
    next: &Delivered<'h>,
) -> bool {
    let slack = expected.clock_slack;
    let begun = |end: Option<&Record>| end.is_some_and(|end| !next.record.is_before(end, slack));
    let refused = index.settlements(earlier).any(|(_, settle, ok)| !ok || settle == SettledAs::Retry);
    let new_epoch = earlier.member == next.member && earlier.arrival.epoch != next.arrival.epoch;
    refused
        || new_epoch
        || index.lost(earlier).is_some()
        || begun(index.revoked(earlier))
        || begun(index.left(earlier))
        || took_too_long(expected, earlier.record, next.record)
}

fn took_too_long(expected: &Expectations, from: &Record, to: &Record) -> bool {
    let took = u128::try_from(to.millis.saturating_sub(from.millis)).unwrap_or(0);
    expected.settle_within.is_some_and(|limit| took >= limit.as_millis())
}

/// Whether something before `earlier` in the same assignment was not settled when `next` came by another.
fn lies_behind_a_gap<'h>(
    index: &Index<'h>,
    expected: &Expectations,
    earlier: &Delivered<'h>,
    next: &Delivered<'h>,
) -> bool {
    let assignment = earlier.assignment();
    assignment != next.assignment()
        && index.of_assignment(&assignment).any(|other| {
            let settled = index.done(other);
            other.arrival.position < earlier.arrival.position
                && settled.is_none_or(|settled| !settled.is_before(next.record, expected.clock_slack))
        })
}
