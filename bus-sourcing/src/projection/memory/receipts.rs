//! Which events of a bus a build has handled.

use std::collections::{BTreeMap, HashMap, HashSet};

use jitney_core::Id;

use crate::projection::{Mark, Received};

/// Marks of events. Of a stream, the last event and what is missing before it.
#[derive(Debug, Clone, Default)]
pub(super) struct Receipts {
    ids: HashSet<Id>,
    streams: HashMap<(String, String), Stream>,
}

#[derive(Debug, Clone, Default)]
struct Stream {
    last: u64,
    /// From which sequence to which one, both included.
    gaps: BTreeMap<u64, u64>,
}

impl Receipts {
    pub(super) fn receive(&mut self, mark: &Mark<'_>, overtaken_too: bool) -> Received {
        match *mark {
            Mark::Place { aggregate_type, aggregate_id, sequence } => {
                let stream = (aggregate_type.to_owned(), aggregate_id.to_owned());
                self.streams.entry(stream).or_default().receive(sequence, overtaken_too)
            }
            Mark::Id(id) if self.ids.insert(id.clone()) => Received::New,
            Mark::Id(_) => Received::Repeated,
        }
    }

    pub(super) fn has(&self, mark: &Mark<'_>) -> bool {
        match *mark {
            Mark::Place { aggregate_type, aggregate_id, sequence } => {
                let stream = self.streams.get(&(aggregate_type.to_owned(), aggregate_id.to_owned()));
                stream.is_some_and(|stream| sequence <= stream.last && stream.gap(sequence).is_none())
            }
            Mark::Id(id) => self.ids.contains(id),
        }
    }
}

impl Stream {
    fn receive(&mut self, sequence: u64, overtaken_too: bool) -> Received {
        if sequence > self.last {
            if sequence > self.last + 1 {
                self.gaps.insert(self.last + 1, sequence - 1);
            }
            self.last = sequence;
            return Received::New;
        }
        let Some((from, to)) = self.gap(sequence) else { return Received::Repeated };
        if overtaken_too {
            self.gaps.remove(&from);
            let left = [(from, sequence - 1), (sequence + 1, to)];
            self.gaps.extend(left.into_iter().filter(|(from, to)| from <= to));
        }
        Received::Overtaken
    }

    /// The gap that `sequence` is in.
    fn gap(&self, sequence: u64) -> Option<(u64, u64)> {
        let (from, to) = self.gaps.range(..=sequence).next_back()?;
        (*to >= sequence).then_some((*from, *to))
    }
}
