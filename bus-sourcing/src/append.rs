//! Appends: events for one or several streams that are stored together or not at all.

use std::collections::HashSet;
use std::fmt;

use crate::{Error, ErrorKind, NewEvent, Position, StreamId};

/// The most bytes that the id of an event may have.
const MAX_ID_BYTES: usize = 512;

/// Where the writer thinks that a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// It has no events.
    New,
    /// Its last event has this sequence; 0 is [`New`](Expected::New).
    Exact(u64),
    /// It has events.
    Exists,
    /// Wherever it is.
    Any,
}

impl Expected {
    /// Whether a stream whose last event is `last` (0 where it has none) is where the writer thinks.
    pub fn is_met_by(self, last: u64) -> bool {
        match self {
            Expected::New => last == 0,
            Expected::Exact(sequence) => last == sequence,
            Expected::Exists => last > 0,
            Expected::Any => true,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::New | Expected::Exact(0) => f.write_str("a new stream"),
            Expected::Exact(sequence) => write!(f, "event {sequence} to be its last"),
            Expected::Exists => f.write_str("a stream with events"),
            Expected::Any => f.write_str("any stream"),
        }
    }
}

/// Events for one or several streams that are stored together or not at all.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an append is made by `EventStore::append`"]
pub struct Append {
    streams: Vec<StreamAppend>,
}

/// The events for one stream.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StreamAppend {
    /// The stream.
    pub stream: StreamId,
    /// Where it must be.
    pub expected: Expected,
    /// What is appended, in this order.
    pub events: Vec<NewEvent>,
}

impl Append {
    /// `events` for `stream`.
    pub fn to(stream: StreamId, expected: Expected, events: impl IntoIterator<Item = NewEvent>) -> Self {
        Append { streams: Vec::new() }.and_to(stream, expected, events)
    }

    /// And `events` for `stream`, a further one.
    pub fn and_to(
        mut self,
        stream: StreamId,
        expected: Expected,
        events: impl IntoIterator<Item = NewEvent>,
    ) -> Self {
        self.streams.push(StreamAppend { stream, expected, events: events.into_iter().collect() });
        self
    }

    /// The parts, one a stream, in the order in which they were named.
    pub fn streams(&self) -> &[StreamAppend] {
        &self.streams
    }

    pub(crate) fn parts_mut(&mut self) -> &mut [StreamAppend] {
        &mut self.streams
    }

    /// The parts, to be taken apart.
    pub fn into_streams(self) -> Vec<StreamAppend> {
        self.streams
    }

    /// Refuses what no store takes; stores call this first.
    ///
    /// # Errors
    ///
    /// Of kind [`Invalid`](ErrorKind::Invalid) when a stream has no events, is named twice, or has a name that cannot be
    /// kept, when the id of an event is empty, longer than 512 bytes or contains a NUL, and when two events of one stream
    /// have the same id; of kind [`Config`](ErrorKind::Config) when an event has personal data that was not
    /// [sealed](Self::seal).
    pub fn check(&self) -> Result<(), Error> {
        let invalid = |what: String| Err(Error::new(ErrorKind::Invalid, what));
        let mut streams = HashSet::new();
        for StreamAppend { stream, events, .. } in &self.streams {
            stream.check()?;
            if events.is_empty() {
                return invalid(format!("appending to stream {stream}: there are no events; leave it out"));
            }
            if !streams.insert(stream) {
                return invalid(format!(
                    "appending to stream {stream}: it is named twice; put all of its events into one part"
                ));
            }
            let unfit = |event: &&NewEvent| {
                event.event_id.with_str(|id| id.is_empty() || id.len() > MAX_ID_BYTES || id.contains('\0'))
            };
            if let Some(unfit) = events.iter().find(unfit) {
                return invalid(format!(
                    "appending to stream {stream}: the id {:?} of an event is empty, longer than {MAX_ID_BYTES} bytes, or \
                     contains a NUL character",
                    unfit.event_id.to_string(),
                ));
            }
            let mut ids = HashSet::new();
            if let Some(twice) = events.iter().find(|event| !ids.insert(&event.event_id)) {
                let id = &twice.event_id;
                return invalid(format!("appending to stream {stream}: two of its events have the id {id}"));
            }
        }
        self.refuse_open()
    }
}

/// Where events went.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Appended {
    /// The parts, one a stream, in the order of the append.
    pub streams: Vec<StreamAppended>,
    /// A reader that has reached this has seen all of them.
    pub position: Position,
}

/// Where the events for one stream went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamAppended {
    /// The sequence of the first event.
    pub first_sequence: u64,
    /// The sequence of the last event.
    pub last_sequence: u64,
}

impl Appended {
    /// The events went to `streams`; a reader that has reached `position` has seen them.
    pub fn new(streams: Vec<StreamAppended>, position: Position) -> Self {
        Appended { streams, position }
    }
}

impl StreamAppended {
    /// `count` events behind `last`, the last event before.
    pub fn behind(last: u64, count: usize) -> Self {
        StreamAppended { first_sequence: last + 1, last_sequence: last + count as u64 }
    }
}
