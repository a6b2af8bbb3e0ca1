//! The few records that show a violation, and how they are printed.

use std::fmt;
use std::time::Duration;

use super::index::{Delivered, Index};
use super::{EventRef, Record, Violation, Violations};

/// A story is at most so long; what is left out lies in the middle.
const LONGEST: usize = 40;

/// What happened to `event` in `group` up to the last of `deliveries`: its publishes, those deliveries with what
/// became of them and of their members, and what disturbed the run. Without deliveries, the whole run.
pub(super) fn tell<'h>(
    index: &Index<'h>,
    group: &'h str,
    event: &'h EventRef,
    deliveries: &[Delivered<'h>],
) -> Vec<Record> {
    let mut story: Vec<&Record> = index.publishes.get(event).into_iter().flatten().copied().collect();
    story.extend(index.rewinds.get(group).into_iter().flatten());
    story.extend(&index.faults);
    for delivered in deliveries {
        story.push(delivered.record);
        story.extend(index.settlements(delivered).map(|(record, ..)| record));
        story.extend(index.revoked(delivered));
        story.extend(index.lost(delivered));
        story.extend(index.left(delivered));
    }
    if let [_, .., last] = deliveries {
        story.retain(|record| !last.record.is_before(record, Duration::ZERO));
    }
    let place = |record: &&Record| (record.millis, record.recorder.clone(), record.number);
    story.sort_by_key(place);
    story.dedup_by_key(|record| place(record));
    if story.len() > LONGEST {
        story.drain(LONGEST / 2..story.len() - LONGEST / 2);
    }
    story.into_iter().cloned().collect()
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "violated: {} ({} in group {})", self.property, self.event, self.group)?;
        let start = self.story.first().map_or(0, |record| record.millis);
        for record in &self.story {
            let record = Record { millis: record.millis - start, ..record.clone() };
            writeln!(f, "  {record}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: usize = self.counts.values().sum();
        writeln!(f, "{total} violations; {}", self.summary)?;
        for violation in &self.violations {
            write!(f, "{violation}")?;
        }
        if total > self.violations.len() {
            writeln!(f, "and {} more", total - self.violations.len())?;
        }
        Ok(())
    }
}
