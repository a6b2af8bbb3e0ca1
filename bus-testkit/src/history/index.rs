//! The records of a history, by what is asked about them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::{Arrival, EventRef, PublishOutcome, Record, SettledAs, What};

/// A group's member, by name.
pub(super) type MemberRef<'h> = (&'h str, &'h str);

/// One delivery with what became of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivered<'h> {
    pub(super) record: &'h Record,
    pub(super) group: &'h str,
    pub(super) member: &'h str,
    pub(super) arrival: &'h Arrival,
}

/// A member's turn with one partition of a topic: member, topic, partition, epoch.
pub(super) type Assignment<'h> = (MemberRef<'h>, &'h str, u32, u64);

impl<'h> Delivered<'h> {
    pub(super) fn assignment(&self) -> Assignment<'h> {
        let Arrival { event, partition, epoch, .. } = self.arrival;
        ((self.group, self.member), &event.topic, *partition, *epoch)
    }
}

#[derive(Debug, Default)]
pub(super) struct Index<'h> {
    /// All records, by time.
    pub(super) records: Vec<&'h Record>,
    pub(super) publishes: BTreeMap<&'h EventRef, Vec<&'h Record>>,
    pub(super) topics: BTreeMap<&'h str, BTreeSet<&'h str>>,
    pub(super) deliveries: BTreeMap<(&'h str, &'h EventRef), Vec<Delivered<'h>>>,
    /// The deliveries to each group, by time.
    groups: BTreeMap<&'h str, Vec<Delivered<'h>>>,
    settlements: HashMap<(MemberRef<'h>, (u64, u64)), Vec<&'h Record>>,
    settling: HashMap<(MemberRef<'h>, (u64, u64)), &'h Record>,
    revoked: HashMap<(MemberRef<'h>, u64), &'h Record>,
    lost: HashMap<(MemberRef<'h>, u64), &'h Record>,
    left: HashMap<MemberRef<'h>, &'h Record>,
    assignments: HashMap<Assignment<'h>, Vec<Delivered<'h>>>,
    pub(super) rewinds: HashMap<&'h str, Vec<&'h Record>>,
    pub(super) faults: Vec<&'h Record>,
}

impl<'h> Index<'h> {
    pub(super) fn new(records: &'h [Record]) -> Self {
        let mut index = Index { records: records.iter().collect(), ..Index::default() };
        index.records.sort_by_key(|record| (record.millis, &record.recorder, record.number));
        for record in index.records.clone() {
            index.add(record);
        }
        index
    }

    fn add(&mut self, record: &'h Record) {
        match &record.what {
            What::Publishing { event } | What::Published { event, .. } => {
                self.publishes.entry(event).or_default().push(record);
            }
            What::Joined { group, topics, .. } => {
                self.topics.entry(group).or_default().extend(topics.iter().map(String::as_str));
            }
            What::Delivered { group, member, arrival } => {
                let delivered = Delivered { record, group, member, arrival };
                self.deliveries.entry((group, &arrival.event)).or_default().push(delivered);
                self.groups.entry(group).or_default().push(delivered);
                self.assignments.entry(delivered.assignment()).or_default().push(delivered);
            }
            What::Settling { group, member, token, .. } => {
                self.settling.insert(((group, member), *token), record);
            }
            What::Settled { group, member, token, .. } => {
                self.settlements.entry(((group, member), *token)).or_default().push(record);
            }
            What::Revoked { group, member, epoch } => {
                self.revoked.insert(((group, member), *epoch), record);
            }
            What::Lost { group, member, epoch } => {
                self.lost.insert(((group, member), *epoch), record);
            }
            What::Left { group, member } => {
                self.left.insert((group, member), record);
            }
            What::Rewound { group } => self.rewinds.entry(group).or_default().push(record),
            What::Fault { .. } => self.faults.push(record),
        }
    }

    /// Whether the broker must have `event`.
    pub(super) fn acked(&self, event: &EventRef) -> bool {
        self.outcomes(event).any(|outcome| outcome == PublishOutcome::Acked)
    }

    /// Whether the broker may have `event`: it was acked, or its fate is unknown.
    pub(super) fn possible(&self, event: &EventRef) -> bool {
        let publishes = self.publishes.get(event).map_or(&[][..], Vec::as_slice);
        let begun = publishes.iter().filter(|record| matches!(record.what, What::Publishing { .. })).count();
        begun > self.outcomes(event).count()
            || self.outcomes(event).any(|outcome| outcome != PublishOutcome::Rejected)
    }

    /// Whether the broker has `event` exactly once as far as its publisher knows.
    pub(super) fn published_once(&self, event: &EventRef) -> bool {
        let publishes = self.publishes.get(event).map_or(&[][..], Vec::as_slice);
        let begun = publishes.iter().filter(|record| matches!(record.what, What::Publishing { .. })).count();
        begun <= 1 && self.outcomes(event).eq([PublishOutcome::Acked])
    }

    /// Whether the only publish of `event` began before a fault and was answered after it.
    pub(super) fn published_through_a_fault(&self, event: &EventRef, slack: Duration) -> bool {
        let Some([begun, answered]) = self.publishes.get(event).map(Vec::as_slice) else { return false };
        self.faults.iter().any(|fault| !fault.is_before(begun, slack) && !answered.is_before(fault, slack))
    }

    fn outcomes(&self, event: &EventRef) -> impl Iterator<Item = PublishOutcome> {
        self.publishes.get(event).into_iter().flatten().filter_map(|record| match record.what {
            What::Published { outcome, .. } => Some(outcome),
            _ => None,
        })
    }

    /// All deliveries to one group.
    pub(super) fn of_group(&self, group: &'h str) -> impl Iterator<Item = &Delivered<'h>> {
        self.groups.get(group).into_iter().flatten()
    }

    /// All deliveries of one assignment.
    pub(super) fn of_assignment(&self, assignment: &Assignment<'h>) -> impl Iterator<Item = &Delivered<'h>> {
        self.assignments.get(assignment).into_iter().flatten()
    }

    /// The deliveries of one event to one group, by time.
    pub(super) fn of_event(
        &self,
        group: &'h str,
        event: &'h EventRef,
    ) -> impl Iterator<Item = &Delivered<'h>> {
        self.deliveries.get(&(group, event)).into_iter().flatten()
    }

    /// The settlements of one delivery, with what was asked for and whether it succeeded.
    pub(super) fn settlements(
        &self,
        delivered: &Delivered<'h>,
    ) -> impl Iterator<Item = (&'h Record, SettledAs, bool)> {
        let token = (delivered.arrival.epoch, delivered.arrival.token);
        let found = self.settlements.get(&((delivered.group, delivered.member), token));
        found.into_iter().flatten().filter_map(|record| match record.what {
            What::Settled { settle, ok, .. } => Some((*record, settle, ok)),
            _ => None,
        })
    }

    /// The settlement by which a delivery was done: acked or dead-lettered, with success.
    pub(super) fn done(&self, delivered: &Delivered<'h>) -> Option<&'h Record> {
        let mut settlements = self.settlements(delivered);
        settlements.find(|&(_, settle, ok)| ok && settle != SettledAs::Retry).map(|(record, ..)| record)
    }

    /// Whether a delivery may be done though nobody knows: that was asked for, and never answered for a fault.
    pub(super) fn may_be_done(&self, delivered: &Delivered<'h>, slack: Duration) -> bool {
        let token = (delivered.arrival.epoch, delivered.arrival.token);
        let asked = self.settling.get(&((delivered.group, delivered.member), token));
        asked.is_some_and(|asked| {
            !matches!(asked.what, What::Settling { settle: SettledAs::Retry, .. })
                && self.settlements(delivered).next().is_none()
                && self.faults.iter().any(|fault| !fault.is_before(asked, slack))
        })
    }

    pub(super) fn revoked(&self, delivered: &Delivered<'h>) -> Option<&'h Record> {
        self.revoked.get(&((delivered.group, delivered.member), delivered.arrival.epoch)).copied()
    }

    pub(super) fn lost(&self, delivered: &Delivered<'h>) -> Option<&'h Record> {
        self.lost.get(&((delivered.group, delivered.member), delivered.arrival.epoch)).copied()
    }

    pub(super) fn left(&self, delivered: &Delivered<'h>) -> Option<&'h Record> {
        self.left.get(&(delivered.group, delivered.member)).copied()
    }
}
