//! The few records that show a violation, and how they are printed.

use std::fmt;

use super::index::Index;
use super::{EventRef, Record, Violation, Violations, What};

/// A story is at most so long; what is left out lies in the middle.
const LONGEST: usize = 40;

/// What happened to `event` in `group`, what was done to the members that had it, faults, and `shown`.
pub(super) fn tell<'h>(index: &Index<'h>, group: &'h str, event: &'h EventRef, shown: &[&'h Record]) -> Vec<Record> {
    let tokens: Vec<_> = index
        .of_event(group, event)
        .map(|delivered| (delivered.member, (delivered.arrival.epoch, delivered.arrival.token)))
        .collect();
    let has = |group_of: &str, member: &str| group_of == group && tokens.iter().any(|(of, _)| *of == member);
    let concerns = |record: &Record| match &record.what {
        What::Publishing { event: of } | What::Published { event: of, .. } => of == event,
        What::Delivered { group: of, arrival, .. } => of == group && arrival.event == *event,
        What::Settled { group: of, member, token, .. } => {
            of == group && tokens.contains(&(member.as_str(), *token))
        }
        What::Revoked { group: of, member, epoch } | What::Lost { group: of, member, epoch } => {
            has(of, member) && tokens.iter().any(|(_, token)| token.0 == *epoch)
        }
        What::Left { group: of, member } => has(of, member),
        What::Rewound { group: of } => of == group,
        What::Joined { group: of, member, .. } => has(of, member),
        What::Fault { .. } => true,
    };
    let wanted = |record: &&Record| concerns(record) || shown.iter().any(|other| std::ptr::eq(*other, *record));
    let mut story: Vec<_> = index.records.iter().copied().filter(wanted).cloned().collect();
    if story.len() > LONGEST {
        story.drain(LONGEST / 2..story.len() - LONGEST / 2);
    }
    story
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
