//! What to read: a part of one stream, or a part of all events.

use std::borrow::Cow;

use jitney_core::DomainEvent;
use jitney_core::event::EventType;

use crate::{Position, StoredEvent};

/// Towards which end to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From older events to newer ones.
    Forward,
    /// From newer events to older ones.
    Backward,
}

/// Which part of a stream to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadStream {
    /// Towards which end.
    pub direction: Direction,
    /// The sequence to begin at, itself included.
    pub from: u64,
    /// No more than so many events.
    pub limit: usize,
}

impl ReadStream {
    /// The whole stream, the oldest event first.
    pub const fn forward() -> Self {
        ReadStream { direction: Direction::Forward, from: 1, limit: usize::MAX }
    }

    /// The whole stream, the newest event first.
    pub const fn backward() -> Self {
        ReadStream { direction: Direction::Backward, from: u64::MAX, limit: usize::MAX }
    }

    /// From the event `sequence` on, itself included.
    #[must_use]
    pub const fn from(mut self, sequence: u64) -> Self {
        self.from = sequence;
        self
    }

    /// No more than `limit` events.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// Which events a global read is for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Those of these aggregate types; of all where it names none.
    pub aggregate_types: Vec<Cow<'static, str>>,
    /// Those of these event types; of all where it names none.
    pub event_types: Vec<Cow<'static, str>>,
    /// Those of streams that are archived when they are read, too.
    pub archived: bool,
}

impl Default for Filter {
    fn default() -> Self {
        Filter::all()
    }
}

impl Filter {
    /// Every event.
    pub const fn all() -> Self {
        Filter { aggregate_types: Vec::new(), event_types: Vec::new(), archived: true }
    }

    /// Every event that an `E` can be read from: its types, and those that are upcast to them.
    pub fn of<E: DomainEvent>() -> Self {
        Filter::of_types(&E::accepts())
    }

    /// Every event of one of `types`.
    pub fn of_types(types: &[&'static EventType]) -> Self {
        let mut aggregates: Vec<_> = types.iter().map(|known| known.aggregate()).collect();
        let mut events: Vec<_> = types.iter().map(|known| known.name()).collect();
        for names in [&mut aggregates, &mut events] {
            names.sort_unstable();
            names.dedup();
        }
        Filter::all().aggregate_types(aggregates).event_types(events)
    }

    /// Only events of aggregates of these types.
    #[must_use]
    pub fn aggregate_types<T: Into<Cow<'static, str>>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.aggregate_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// Only events of these types.
    #[must_use]
    pub fn event_types<T: Into<Cow<'static, str>>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.event_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// No events of streams that are archived when they are read. A reader that has passed the events of a stream in this way
    /// does not see them when the stream is restored: it is for those who read all events at once, to rebuild something.
    #[must_use]
    pub fn without_archived(mut self) -> Self {
        self.archived = false;
        self
    }

    /// Whether it is for events of this type, of an aggregate of that type.
    pub fn is_for(&self, aggregate_type: &str, event_type: &str) -> bool {
        let names =
            |names: &[Cow<'static, str>], name| names.is_empty() || names.iter().any(|one| one == name);
        names(&self.aggregate_types, aggregate_type) && names(&self.event_types, event_type)
    }
}

/// A part of all events, in the store's order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// The events that the filter is for.
    pub events: Vec<StoredEvent>,
    /// Everything up to here was looked at: where to read on.
    pub position: Position,
    /// Nothing more can be read at the moment.
    pub at_end: bool,
}

impl Page {
    /// `events`, with which the read has come to `position`.
    pub fn new(events: Vec<StoredEvent>, position: Position, at_end: bool) -> Self {
        Page { events, position, at_end }
    }
}
