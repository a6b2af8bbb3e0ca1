//! The events of a store in memory: all of them in one order, and by stream.

use std::collections::{BTreeMap, HashMap};

use jitney_core::Id;

use super::inline::Registered;
use crate::{
    Append, Appended, Conflict, Direction, Duplicate, Error, ErrorKind, Expected, Filter, ListStreams, Page,
    Position, ReadStream, StoredEvent, StoredSnapshot, StreamAppend, StreamAppended, StreamId, StreamInfo,
    StreamState,
};

#[derive(Debug, Default)]
pub(super) struct Log {
    /// In the order of their positions, which are their places here, from 1.
    events: Vec<StoredEvent>,
    streams: BTreeMap<StreamId, Stream>,
    /// The length of the log behind the last event of a correlation id.
    correlations: HashMap<Id, u64>,
    pub(super) snapshots: HashMap<StreamId, StoredSnapshot>,
    /// What appends keep up.
    pub(super) inline: Vec<Registered>,
    /// Somebody lets nobody append.
    pub(super) is_held_up: bool,
}

#[derive(Debug)]
struct Stream {
    /// Where its events are in the log.
    events: Vec<usize>,
    /// The sequence of the event with an id.
    ids: HashMap<Id, u64>,
    state: StreamState,
}

impl Log {
    pub(super) fn len(&self) -> u64 {
        self.events.len() as u64
    }

    pub(super) fn append(&mut self, append: Append) -> Result<Appended, Error> {
        self.refuse(&append)?;
        let appended = append.into_streams().into_iter().map(|part| self.store(part)).collect();
        Ok(Appended::new(appended, Position::at([self.len()])))
    }

    /// The events of `append` as they are stored where nothing comes between.
    pub(super) fn preview(&self, append: &Append) -> Vec<StoredEvent> {
        let mut length = self.len();
        let mut events = Vec::new();
        for part in append.streams() {
            for (event, sequence) in part.events.iter().zip(self.last(&part.stream) + 1..) {
                length += 1;
                events.push(event.clone().into_stored(&part.stream, sequence, Position::at([length])));
            }
        }
        events
    }

    /// Refuses an append that cannot be made.
    pub(super) fn refuse(&self, append: &Append) -> Result<(), Error> {
        for part in append.streams() {
            self.refuse_duplicates(part)?;
        }
        append.streams().iter().try_for_each(|part| self.check(&part.stream, part.expected))
    }

    /// The sequence of the last event of a stream; 0 where it has none.
    pub(super) fn last(&self, stream: &StreamId) -> u64 {
        self.streams.get(stream).map_or(0, Stream::last)
    }

    fn refuse_duplicates(&self, part: &StreamAppend) -> Result<(), Error> {
        let Some(stream) = self.streams.get(&part.stream) else { return Ok(()) };
        let known = part.events.iter().find_map(|event| stream.ids.get_key_value(&event.event_id));
        known.map_or(Ok(()), |(event_id, sequence)| {
            let (stream, event_id) = (part.stream.clone(), event_id.clone());
            Err(Error::duplicating(Duplicate { stream, event_id, sequence: *sequence }))
        })
    }

    /// Refuses a change of a stream that is closed, or not where it is expected.
    fn check(&self, id: &StreamId, expected: Expected) -> Result<(), Error> {
        let stream = self.streams.get(id);
        match stream.map(|stream| stream.state) {
            Some(StreamState::Ended) => return Err(Error::ended(id)),
            Some(StreamState::Archived) => return Err(Error::archived(id)),
            Some(StreamState::Open) | None => {}
        }
        let actual = self.last(id);
        match expected.is_met_by(actual) {
            true => Ok(()),
            false => Err(Error::conflicting(Conflict { stream: id.clone(), expected, actual })),
        }
    }

    fn store(&mut self, part: StreamAppend) -> StreamAppended {
        let empty = || Stream { events: Vec::new(), ids: HashMap::new(), state: StreamState::Open };
        let stream = self.streams.entry(part.stream.clone()).or_insert_with(empty);
        let appended = StreamAppended::behind(stream.last(), part.events.len());
        for event in part.events {
            let sequence = stream.last() + 1;
            stream.ids.insert(event.event_id.clone(), sequence);
            stream.events.push(self.events.len());
            let length = self.events.len() as u64 + 1;
            let stored = event.into_stored(&part.stream, sequence, Position::at([length]));
            self.correlations.insert(stored.head().correlation_id().clone(), length);
            self.events.push(stored);
        }
        appended
    }

    pub(super) fn read_stream(&self, id: &StreamId, read: ReadStream) -> Vec<StoredEvent> {
        let Some(stream) = self.streams.get(id) else { return Vec::new() };
        let events = stream.events.iter().map(|place| &self.events[*place]);
        match read.direction {
            Direction::Forward => {
                let passed = usize::try_from(read.from.saturating_sub(1)).unwrap_or(usize::MAX);
                events.skip(passed).take(read.limit).cloned().collect()
            }
            Direction::Backward => {
                let passed = usize::try_from(stream.last().saturating_sub(read.from)).unwrap_or(usize::MAX);
                events.rev().skip(passed).take(read.limit).cloned().collect()
            }
        }
    }

    /// Forgets the snapshots whose state has `text`, and says how many these were.
    pub(super) fn delete_snapshots(&mut self, text: &str) -> u64 {
        let before = self.snapshots.len();
        let has = |state: &[u8]| state.windows(text.len()).any(|part| part == text.as_bytes());
        self.snapshots.retain(|_, snapshot| !has(&snapshot.state));
        (before - self.snapshots.len()) as u64
    }

    pub(super) fn find(&self, id: &StreamId, event_id: &Id) -> Option<&StoredEvent> {
        let stream = self.streams.get(id)?;
        let sequence = *stream.ids.get(event_id)?;
        Some(&self.events[stream.events[sequence as usize - 1]])
    }

    pub(super) fn end_of_correlation(&self, correlation_id: &Id) -> Option<Position> {
        self.correlations.get(correlation_id).map(|length| Position::at([*length]))
    }

    pub(super) fn read_all(&self, after: &Position, filter: &Filter, limit: usize) -> Result<Page, Error> {
        let after = number(after)?;
        let mut position = after;
        let mut events = Vec::new();
        for event in self.events.iter().skip(after as usize) {
            if events.len() == limit {
                return Ok(Page::new(events, Position::at([position]), false));
            }
            position += 1;
            if filter.is_for(&event.head().aggregate_type, &event.head().event_type)
                && (filter.archived || !self.is_archived(event))
            {
                events.push(event.clone());
            }
        }
        Ok(Page::new(events, Position::at([position]), true))
    }

    fn is_archived(&self, event: &StoredEvent) -> bool {
        self.streams.get(&event.stream()).is_some_and(|stream| stream.state == StreamState::Archived)
    }

    pub(super) fn info(&self, id: &StreamId) -> Option<StreamInfo> {
        self.streams.get(id).map(|stream| self.about(id, stream))
    }

    pub(super) fn list(&self, list: &ListStreams) -> Vec<StreamInfo> {
        let from = StreamId::new(list.aggregate_type.clone(), list.after.clone().unwrap_or_default());
        let streams = self.streams.range(from..);
        let streams = streams.take_while(|(id, _)| id.aggregate_type() == list.aggregate_type);
        streams
            .filter(|(id, _)| list.after.as_deref() != Some(id.aggregate_id()))
            .filter(|(_, stream)| list.state.is_none_or(|state| stream.state == state))
            .take(list.limit)
            .map(|(id, stream)| self.about(id, stream))
            .collect()
    }

    fn about(&self, id: &StreamId, stream: &Stream) -> StreamInfo {
        let last = stream.events.last().expect("a stream is there from its first event on");
        let time = self.events[*last].head().time;
        StreamInfo::new(id.clone(), stream.last(), time).in_state(stream.state)
    }

    pub(super) fn set_state(
        &mut self,
        id: &StreamId,
        expected: Expected,
        state: StreamState,
    ) -> Result<(), Error> {
        let current = self.streams.get(id).map(|stream| stream.state);
        match (current, state) {
            (Some(current), _) if current == state => return Ok(()),
            (Some(StreamState::Archived), StreamState::Open) => {}
            _ => self.check(id, expected)?,
        }
        let Some(stream) = self.streams.get_mut(id) else {
            let expected = Expected::Exists;
            return Err(Error::conflicting(Conflict { stream: id.clone(), expected, actual: 0 }));
        };
        stream.state = state;
        Ok(())
    }
}

impl Stream {
    fn last(&self) -> u64 {
        self.events.len() as u64
    }
}

/// The number of a position of this store.
pub(super) fn number(position: &Position) -> Result<u64, Error> {
    match position.numbers() {
        Some([number, 0, 0]) => Ok(number),
        _ => {
            let what =
                format!("reading all events behind `{position}`: that is no position of a store in memory");
            Err(Error::new(ErrorKind::Invalid, what))
        }
    }
}
