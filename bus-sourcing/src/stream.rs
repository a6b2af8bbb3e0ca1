//! Streams: the events of one aggregate, in the order of their sequence.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;

use crate::{Error, ErrorKind};

/// The most bytes that an aggregate's type or id may have.
const MAX_BYTES: usize = 512;

/// Which aggregate a stream belongs to: its type and its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    aggregate_type: Cow<'static, str>,
    aggregate_id: String,
}

impl StreamId {
    /// The stream of the aggregate `aggregate_id` of type `aggregate_type`.
    pub fn new(aggregate_type: impl Into<Cow<'static, str>>, aggregate_id: impl Into<String>) -> Self {
        StreamId { aggregate_type: aggregate_type.into(), aggregate_id: aggregate_id.into() }
    }

    /// The type of the aggregate.
    pub fn aggregate_type(&self) -> &str {
        &self.aggregate_type
    }

    /// The type of the aggregate; not copied where it is in the program's text.
    pub fn shared_aggregate_type(&self) -> Cow<'static, str> {
        self.aggregate_type.clone()
    }

    /// The id of the aggregate.
    pub fn aggregate_id(&self) -> &str {
        &self.aggregate_id
    }

    /// Refuses what some store could not keep.
    ///
    /// # Errors
    ///
    /// Of kind [`Invalid`](ErrorKind::Invalid) when type or id is empty, longer than 512 bytes, or contains a NUL.
    pub fn check(&self) -> Result<(), Error> {
        for (what, text) in [("type", &*self.aggregate_type), ("id", &*self.aggregate_id)] {
            let wrong = match text {
                "" => "is empty",
                text if text.len() > MAX_BYTES => "is longer than 512 bytes",
                text if text.contains('\0') => "contains a NUL character",
                _ => continue,
            };
            let what = format!("using stream {self:?}: the aggregate's {what} {wrong}; choose another one");
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        Ok(())
    }
}

impl fmt::Display for StreamId {
    /// `Order/42`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.aggregate_type, self.aggregate_id)
    }
}

/// What may still happen to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamState {
    /// It takes events.
    Open,
    /// It takes none until it is restored, and global reads can pass over its events.
    Archived,
    /// It ended with a tombstone: it takes no events ever again. Those that it has can be read.
    Ended,
}

/// About a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// The stream.
    pub stream: StreamId,
    /// The sequence of its last event.
    pub last_sequence: u64,
    /// When its last event was recorded.
    pub last_time: Timestamp,
    /// What may still happen to it.
    pub state: StreamState,
}

impl StreamInfo {
    /// About an open `stream`.
    pub fn new(stream: StreamId, last_sequence: u64, last_time: Timestamp) -> Self {
        StreamInfo { stream, last_sequence, last_time, state: StreamState::Open }
    }

    /// The same in another state.
    #[must_use]
    pub fn in_state(self, state: StreamState) -> Self {
        StreamInfo { state, ..self }
    }
}

/// Which streams to list: those of one aggregate type, by their ids in the order of their bytes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListStreams {
    /// The aggregate type.
    pub aggregate_type: String,
    /// Only ids behind this one.
    pub after: Option<String>,
    /// Only streams in this state; all where there is none.
    pub state: Option<StreamState>,
    /// No more than so many.
    pub limit: usize,
}

impl ListStreams {
    /// The first 1,000 streams of `aggregate_type`, in whatever state.
    pub fn of(aggregate_type: impl Into<String>) -> Self {
        ListStreams { aggregate_type: aggregate_type.into(), after: None, state: None, limit: 1_000 }
    }

    /// Only ids behind `id`: the last one of the page before.
    #[must_use]
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.after = Some(id.into());
        self
    }

    /// Only streams in `state`.
    #[must_use]
    pub fn in_state(mut self, state: StreamState) -> Self {
        self.state = Some(state);
        self
    }

    /// No more than `limit` streams.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}
