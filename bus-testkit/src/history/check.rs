//! The five properties.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fmt;
use std::hash::Hash;

use super::causes::{Again, judge};
use super::index::{Delivered, Index};
use super::{EventRef, Expectations, Record, SettledAs, Summary, story};

/// So many violations are told in full; the others are counted.
const TOLD: usize = 20;

/// What a history must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Property {
    /// Every group gets, and in the end settles, every event of its topics that was acked to its publisher.
    NoAckedPublishLost,
    /// Nothing is delivered that was not published, or to a group that does not read its topic.
    NothingInvented,
    /// The events of one key reach a group in the order in which they were published.
    OrderPerKey,
    /// An event comes again only after a retry, a failed settlement, a lost member or epoch, a fault, or a publish
    /// whose outcome was unknown.
    NoUnexplainedDuplicate,
    /// What was acked or dead-lettered does not come again.
    SettledMeansSettled,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Property::NoAckedPublishLost => "no acked publish is lost",
            Property::NothingInvented => "nothing is invented",
            Property::OrderPerKey => "order per key",
            Property::NoUnexplainedDuplicate => "no duplicate without a cause",
            Property::SettledMeansSettled => "settled means settled",
        })
    }
}

/// One property that does not hold, with the records that show it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Violation {
    /// Which property.
    pub property: Property,
    /// The group that it shows in.
    pub group: String,
    /// The event that it shows in.
    pub event: EventRef,
    /// What happened to the event and, where that matters, around it.
    pub story: Vec<Record>,
}

/// The properties that do not hold. Printed as a readable story of each violation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Violations {
    /// The first ones, told in full.
    pub violations: Vec<Violation>,
    /// How many there are of each property.
    pub counts: HashMap<Property, usize>,
    /// The numbers of the run.
    pub summary: Summary,
}

impl Violations {
    /// Whether `property` is among them.
    pub fn names(&self, property: Property) -> bool {
        self.counts.contains_key(&property)
    }
}

impl Error for Violations {}

pub(super) fn check(records: &[Record], expected: &Expectations) -> Result<Summary, Box<Violations>> {
    let index = Index::new(records);
    let mut checker = Checker { index, expected, violations: Vec::new(), counts: HashMap::new() };
    let mut summary = Summary::of(&checker.index);
    summary.lost = checker.check_nothing_lost();
    summary.out_of_order = checker.check_order();
    checker.check_deliveries();
    if checker.counts.is_empty() {
        return Ok(summary);
    }
    Err(Box::new(Violations { violations: checker.violations, counts: checker.counts, summary }))
}

struct Checker<'h> {
    index: Index<'h>,
    expected: &'h Expectations,
    violations: Vec<Violation>,
    counts: HashMap<Property, usize>,
}

impl<'h> Checker<'h> {
    /// Adds a violation; its story is about the deliveries `shown`.
    fn violated(&mut self, property: Property, group: &'h str, event: &'h EventRef, shown: &[Delivered<'h>]) {
        *self.counts.entry(property).or_default() += 1;
        if self.violations.len() < TOLD {
            let story = story::tell(&self.index, group, event, shown);
            self.violations.push(Violation {
                property,
                group: group.to_owned(),
                event: event.clone(),
                story,
            });
        }
    }

    /// Every acked event against every group that reads its topic.
    fn check_nothing_lost(&mut self) -> usize {
        let mut lost = Vec::new();
        for (&group, topics) in &self.index.topics {
            for &event in self.index.publishes.keys() {
                if topics.contains(event.topic.as_str())
                    && self.index.acked(event)
                    && !self.arrived(group, event)
                {
                    lost.push((group, event));
                }
            }
        }
        for &(group, event) in &lost {
            let deliveries: Vec<_> = self.index.of_event(group, event).copied().collect();
            self.violated(Property::NoAckedPublishLost, group, event, &deliveries);
        }
        lost.len()
    }

    fn arrived(&self, group: &'h str, event: &'h EventRef) -> bool {
        let deliveries = self.index.deliveries.get(&(group, event)).map_or(&[][..], Vec::as_slice);
        if self.expected.drained {
            let slack = self.expected.clock_slack;
            deliveries.iter().any(|delivered| {
                self.index.done(delivered).is_some() || self.index.may_be_done(delivered, slack)
            })
        } else {
            !deliveries.is_empty()
        }
    }

    /// First deliveries of each key: of the whole group, and again within each assignment, which replays in order.
    fn check_order(&mut self) -> usize {
        let mut whole = self.out_of_order(|delivered| (delivered.group, "", 0));
        let count = whole.len();
        whole.extend(
            self.out_of_order(|delivered| (delivered.group, delivered.member, delivered.arrival.epoch + 1)),
        );
        if self.expected.ordered {
            whole.sort_by_key(|(delivered, _)| (delivered.record.millis, delivered.record.number));
            whole.dedup_by_key(|(delivered, _)| &delivered.arrival.event);
            for (delivered, overtaker) in whole {
                let event = &delivered.arrival.event;
                self.violated(Property::OrderPerKey, delivered.group, event, &[overtaker, delivered]);
            }
        }
        count
    }

    /// First deliveries within a scope that came after one of a later event of the same key.
    fn out_of_order<S: Eq + Hash>(
        &self,
        scope: impl Fn(&Delivered<'h>) -> S,
    ) -> Vec<(Delivered<'h>, Delivered<'h>)> {
        let slack = self.expected.clock_slack;
        let mut latest: HashMap<_, Delivered<'h>> = HashMap::new();
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for &delivered in self.index.topics.keys().flat_map(|&group| self.index.of_group(group)) {
            let event = &delivered.arrival.event;
            let first = seen.insert((scope(&delivered), event));
            if !first || !self.index.published_once(event) {
                continue;
            }
            let latest = latest.entry((scope(&delivered), &event.topic, &event.key)).or_insert(delivered);
            let overtaken = latest.arrival.event.sequence > event.sequence
                && latest.record.is_before(delivered.record, slack)
                && !self.was_sent_back(latest.record, &delivered);
            if overtaken {
                found.push((delivered, *latest));
            } else {
                *latest = delivered;
            }
        }
        found
    }

    /// Whether the group was rewound since `since`, or this event was asked for again before.
    fn was_sent_back(&self, since: &Record, delivered: &Delivered<'h>) -> bool {
        let slack = self.expected.clock_slack;
        let rewinds = self.index.rewinds.get(delivered.group).into_iter().flatten();
        let earlier = self.index.deliveries.get(&(delivered.group, &delivered.arrival.event));
        rewinds.into_iter().any(|rewind| !rewind.is_before(since, slack))
            || earlier.into_iter().flatten().any(|earlier| {
                self.index.settlements(earlier).any(|(_, settle, ok)| !ok || settle == SettledAs::Retry)
            })
    }

    /// Each delivery for itself: published, asked for, and the only one or explained.
    fn check_deliveries(&mut self) {
        let mut found = Vec::new();
        for (&(group, event), deliveries) in &self.index.deliveries {
            let wanted =
                self.index.topics.get(group).is_some_and(|topics| topics.contains(event.topic.as_str()));
            if !wanted || !self.index.possible(event) {
                found.push((
                    Property::NothingInvented,
                    group,
                    event,
                    deliveries.iter().take(1).copied().collect(),
                ));
            }
            if let Some((property, pair)) = self.repeated(deliveries) {
                found.push((property, group, event, pair.to_vec()));
            }
        }
        for (property, group, event, shown) in found {
            self.violated(property, group, event, &shown);
        }
    }

    /// The first pair of deliveries of which the second has no cause.
    fn repeated(&self, deliveries: &[Delivered<'h>]) -> Option<(Property, [Delivered<'h>; 2])> {
        for (place, next) in deliveries.iter().enumerate() {
            for earlier in &deliveries[..place] {
                let property = match judge(&self.index, self.expected, earlier, next) {
                    Again::Explained => continue,
                    Again::Settled => Property::SettledMeansSettled,
                    Again::Unexplained => Property::NoUnexplainedDuplicate,
                };
                return Some((property, [*earlier, *next]));
            }
        }
        None
    }
}
