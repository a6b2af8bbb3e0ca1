//! The model: streams as lists, and the order in which everything was appended.

use jitney_sourcing::{ErrorKind, Expected, NewEvent, StoredSnapshot, StreamId, StreamState};

use super::step::{Guess, STREAMS};

/// A store that is a list of lists.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) streams: Vec<PlainStream>,
    /// Stream and sequence of everything, in the order of the appends.
    pub(super) order: Vec<(usize, u64)>,
}

#[derive(Debug)]
pub(super) struct PlainStream {
    pub(super) id: StreamId,
    pub(super) events: Vec<NewEvent>,
    pub(super) state: StreamState,
    pub(super) snapshot: Option<StoredSnapshot>,
}

/// Events for a stream that is expected somewhere.
pub(super) type Part = (usize, Expected, Vec<NewEvent>);

impl Plain {
    pub(super) fn new(ids: [StreamId; STREAMS]) -> Self {
        let stream = |id| PlainStream { id, events: Vec::new(), state: StreamState::Open, snapshot: None };
        Plain { streams: ids.into_iter().map(stream).collect(), order: Vec::new() }
    }

    /// Appends to each of the streams, or says why not: any of the reasons will do, but that a duplicate comes first.
    pub(super) fn append(&mut self, parts: Vec<Part>) -> Result<(), Vec<ErrorKind>> {
        let known = |(stream, _, events): &Part| {
            let ids = self.streams[*stream].events.iter().map(|event| &event.event_id);
            ids.into_iter().any(|id| events.iter().any(|event| event.event_id == *id))
        };
        if parts.iter().any(known) {
            return Err(vec![ErrorKind::Duplicate]);
        }
        let refused = |(stream, expected, _): &Part| self.streams[*stream].takes(*expected).err();
        let reasons: Vec<_> = parts.iter().filter_map(refused).collect();
        if !reasons.is_empty() {
            return Err(reasons);
        }
        for (stream, _, events) in parts {
            for event in events {
                self.streams[stream].events.push(event);
                self.order.push((stream, self.streams[stream].last()));
            }
        }
        Ok(())
    }

    pub(super) fn archive(&mut self, stream: usize) -> Result<(), ErrorKind> {
        let stream = &mut self.streams[stream];
        match stream.state {
            StreamState::Ended => Err(ErrorKind::Ended),
            _ if stream.events.is_empty() => Err(ErrorKind::Conflict),
            _ => {
                stream.state = StreamState::Archived;
                Ok(())
            }
        }
    }

    pub(super) fn restore(&mut self, stream: usize) -> Result<(), ErrorKind> {
        self.archive(stream)?;
        self.streams[stream].state = StreamState::Open;
        Ok(())
    }

    pub(super) fn end(&mut self, stream: usize, expected: Expected) -> Result<(), ErrorKind> {
        let stream = &mut self.streams[stream];
        if stream.state == StreamState::Ended {
            return Ok(());
        }
        stream.takes(expected)?;
        if stream.events.is_empty() {
            return Err(ErrorKind::Conflict);
        }
        stream.state = StreamState::Ended;
        Ok(())
    }
}

impl PlainStream {
    pub(super) fn last(&self) -> u64 {
        self.events.len() as u64
    }

    /// What a writer with this guess expects.
    pub(super) fn guessed(&self, guess: Guess) -> Expected {
        match guess {
            Guess::New => Expected::New,
            Guess::Any => Expected::Any,
            Guess::Exists => Expected::Exists,
            Guess::Right => Expected::Exact(self.last()),
            Guess::Ahead(by) => Expected::Exact(self.last() + by),
            Guess::Exact(sequence) => Expected::Exact(sequence),
        }
    }

    fn takes(&self, expected: Expected) -> Result<(), ErrorKind> {
        let met = match expected {
            Expected::New => self.events.is_empty(),
            Expected::Exists => !self.events.is_empty(),
            Expected::Exact(sequence) => sequence == self.last(),
            Expected::Any => true,
        };
        match self.state {
            StreamState::Archived => Err(ErrorKind::Archived),
            StreamState::Ended => Err(ErrorKind::Ended),
            _ if met => Ok(()),
            _ => Err(ErrorKind::Conflict),
        }
    }
}
