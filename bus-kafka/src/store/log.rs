//! What is known of the events of one partition: where each is, by stream, and the newest of them whole.
//!
//! An event costs 24 bytes here, a stream about 200 and its id; the newest events are kept within a bound in bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::message::Message;
use jitney_core::{Head, Id};
use jitney_sourcing::{Error, ErrorKind, Position, StoredEvent, StreamId, StreamInfo, StreamState};
use uuid::Uuid;

use super::murmur2;
use super::place::{Follower, Place};
use super::wire::{self, Found};

/// About what an event takes besides its payload.
const ROOM_PER_EVENT: usize = 400;

/// The events of one partition.
pub(super) struct Log {
    place: Place,
    aggregate_type: String,
    partitions: u32,
    /// The newest events are kept up to so many bytes.
    cache_bytes: usize,
    known: Mutex<Known>,
    /// An event is here whose key belongs on another partition.
    is_misplaced: AtomicBool,
}

/// What is known at the moment.
#[derive(Default)]
pub(super) struct Known {
    streams: BTreeMap<Box<str>, Stream>,
    /// The newest events, none of them left out from the first one on.
    recent: VecDeque<Recent>,
    recent_bytes: usize,
    /// Where the newest event is that is no longer among them.
    evicted: Option<u64>,
    /// Behind the newest record of the store.
    end: u64,
    /// What is wrong, by offset.
    wrong: BTreeMap<u64, Box<str>>,
}

struct Stream {
    events: Vec<Entry>,
    last_time: Timestamp,
    state: StreamState,
    /// The id of the mark that says so, where one does.
    mark: Option<[u8; 16]>,
    /// Where a record is that spoils it.
    wrong: Option<u64>,
}

struct Entry {
    offset: u64,
    id: [u8; 16],
}

/// An event as it was read.
#[derive(Clone)]
pub(super) struct Recent {
    pub(super) offset: u64,
    pub(super) head: Arc<Head>,
    pub(super) payload: Bytes,
}

impl Recent {
    /// As readers get it, at `position`.
    pub(super) fn at(&self, position: Position) -> StoredEvent {
        StoredEvent::new(Arc::clone(&self.head), self.payload.clone(), position)
    }

    fn bytes(&self) -> usize {
        self.payload.len() + ROOM_PER_EVENT
    }
}

/// An event that is wanted, by where it is.
pub(super) enum Wanted {
    Here(Recent),
    /// To be read again.
    At(u64),
}

impl Log {
    pub(super) fn new(place: Place, aggregate_type: &str, partitions: u32, cache_bytes: usize) -> Self {
        let (aggregate_type, known) = (aggregate_type.to_owned(), Mutex::default());
        let is_misplaced = AtomicBool::new(false);
        Log { place, aggregate_type, partitions, cache_bytes, known, is_misplaced }
    }

    /// Refuses to go on where the topic has grown: streams are on two partitions then, and none of them is whole.
    pub(super) fn check_partitions(&self, stream: &StreamId) -> Result<(), Error> {
        if !self.is_misplaced.load(Ordering::Acquire) {
            return Ok(());
        }
        let (topic, partitions) = (&*self.place.topic, self.partitions);
        let what = format!(
            "using stream {stream}: topic `{topic}` has {partitions} partitions, and events of other keys are on `{}` than belong there: it has \
             grown, or another program writes to it; move the events to a topic that is made anew",
            self.place.name
        );
        Err(Error::new(ErrorKind::Config, what))
    }

    /// The topic has grown: nothing of it is used any more.
    pub(super) fn refuse_all(&self) {
        self.is_misplaced.store(true, Ordering::Release);
    }

    // What is known is never left half changed: each record is one change.
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The type of the aggregates.
    pub(super) fn aggregate_type(&self) -> &str {
        &self.aggregate_type
    }

    /// Some key that is on this partition.
    pub(super) fn a_key(&self) -> Bytes {
        let is_here = |key: &String| {
            i32::try_from(murmur2::partition(key.as_bytes(), self.partitions)) == Ok(self.place.partition)
        };
        let key = (0_u64..).map(|number| number.to_string()).find(is_here);
        Bytes::from(key.unwrap_or_default())
    }

    /// What is wrong with a record of the store, where something is.
    fn refuse(&self, key: Option<&Bytes>, head: &Head, last: u64) -> Option<String> {
        let partition = murmur2::partition(head.aggregate_id.as_bytes(), self.partitions);
        if i32::try_from(partition) != Ok(self.place.partition) {
            self.refuse_all();
            return Some(format!(
                "its key belongs on partition {partition} of {}: the topic of an event store must never grow",
                self.partitions
            ));
        }
        if head.aggregate_type != self.aggregate_type || key.is_none_or(|key| *key != head.aggregate_id) {
            return Some(format!("it is of aggregate {}/{}", head.aggregate_type, head.aggregate_id));
        }
        let sequence = head.sequence.unwrap_or(0);
        (sequence != last + 1).then(|| {
            format!("it is event {sequence} of {}, where event {} must be", head.aggregate_id, last + 1)
        })
    }

    fn is_wrong(&self, known: &mut Known, offset: u64, aggregate_id: Option<&str>, what: &str) {
        let what =
            format!("the record at offset {offset} of {} is none of the store: {what}", self.place.name);
        tracing::error!(
            partition = &*self.place.name,
            offset,
            what,
            "the event store has a record that it cannot have written"
        );
        if let Some(stream) = aggregate_id.and_then(|id| known.streams.get_mut(id)) {
            stream.wrong.get_or_insert(offset);
        }
        known.wrong.insert(offset, what.into());
    }
}

impl Follower for Log {
    fn place(&self) -> &Place {
        &self.place
    }

    fn take(&self, offset: u64, message: Message) {
        let found = wire::read(&message);
        let mut known = self.known();
        match found {
            Found::Event { head, payload } => {
                let last = known.streams.get(&*head.aggregate_id).map_or(0, |stream| stream.last(u64::MAX));
                if let Some(what) = self.refuse(message.key.as_ref(), &head, last) {
                    return self.is_wrong(&mut known, offset, Some(&head.aggregate_id), &what);
                }
                known.add(Recent { offset, head, payload });
                known.shrink(self.cache_bytes);
            }
            Found::Mark { id, aggregate_id, state } => {
                if let Some(stream) = known.streams.get_mut(&*aggregate_id) {
                    (stream.state, stream.mark) = (state, Some(short(&id)));
                }
                known.end = offset + 1;
            }
            Found::Foreign => tracing::warn!(
                partition = &*self.place.name,
                offset,
                "an event was published to a topic of the event store, and is passed over: it has no sequence"
            ),
            Found::Damaged(error) => {
                let key = message.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
                self.is_wrong(&mut known, offset, key, &jitney_core::error_chain(&error));
            }
        }
    }
}

impl Known {
    fn add(&mut self, event: Recent) {
        let id = &*event.head.aggregate_id;
        if !self.streams.contains_key(id) {
            let (events, last_time, state) = (Vec::new(), event.head.time, StreamState::Open);
            self.streams.insert(id.into(), Stream { events, last_time, state, mark: None, wrong: None });
        }
        if let Some(stream) = self.streams.get_mut(id) {
            stream.last_time = event.head.time;
            stream.events.push(Entry { offset: event.offset, id: short(&event.head.event_id) });
        }
        self.end = event.offset + 1;
        self.recent_bytes += event.bytes();
        self.recent.push_back(event);
    }

    /// Forgets the oldest events, so that the rest keeps to a bound. The newest one stays.
    fn shrink(&mut self, bytes: usize) {
        while self.recent_bytes > bytes && self.recent.len() > 1 {
            if let Some(oldest) = self.recent.pop_front() {
                self.recent_bytes -= oldest.bytes();
                self.evicted = Some(oldest.offset);
            }
        }
    }

    /// Behind the newest record of the store.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The sequence of the last event of a stream; 0 where it has none.
    pub(super) fn last(&self, aggregate_id: &str) -> u64 {
        self.streams.get(aggregate_id).map_or(0, |stream| stream.last(u64::MAX))
    }

    /// The state of a stream that has events.
    pub(super) fn state(&self, aggregate_id: &str) -> Option<StreamState> {
        self.streams.get(aggregate_id).map(|stream| stream.state)
    }

    /// Whether the state of a stream is the one of this mark.
    pub(super) fn has_mark(&self, aggregate_id: &str, mark: &Id) -> bool {
        self.streams.get(aggregate_id).is_some_and(|stream| stream.mark == Some(short(mark)))
    }

    /// The sequence of the event of a stream that has the id.
    pub(super) fn sequence_of(&self, aggregate_id: &str, event_id: &Id) -> Option<u64> {
        let (stream, id) = (self.streams.get(aggregate_id)?, short(event_id));
        // What is looked for is mostly new.
        let place = stream.events.iter().rposition(|entry| entry.id == id)?;
        Some(place as u64 + 1)
    }

    /// Refuses to go on with a stream that has something wrong in it.
    pub(super) fn check(&self, doing: &str, aggregate_id: &str) -> Result<(), Error> {
        let wrong = self.streams.get(aggregate_id).and_then(|stream| stream.wrong);
        wrong.map_or(Ok(()), |offset| Err(self.wrong(doing, offset)))
    }

    /// The first record from `from` on, and before `end`, with which something is wrong.
    pub(super) fn first_wrong(&self, from: u64, end: u64) -> Option<u64> {
        self.wrong.range(from..end.max(from)).next().map(|(offset, _)| *offset)
    }

    pub(super) fn wrong(&self, doing: &str, offset: u64) -> Error {
        let what = self.wrong.get(&offset).map_or("a record is none of the store", |what| what);
        Error::new(ErrorKind::Decode, format!("{doing}: {what}"))
    }

    /// The events of a stream with these sequences, those before `end` in the partition, in ascending order.
    pub(super) fn events(
        &self,
        aggregate_id: &str,
        sequences: std::ops::RangeInclusive<u64>,
        end: u64,
    ) -> Vec<Wanted> {
        let Some(stream) = self.streams.get(aggregate_id) else { return Vec::new() };
        let (first, last) = (sequences.start().max(&1), (*sequences.end()).min(stream.last(end)));
        let Some(entries) = stream.events.get(*first as usize - 1..last as usize) else { return Vec::new() };
        entries.iter().map(|entry| self.wanted(entry.offset)).collect()
    }

    fn wanted(&self, offset: u64) -> Wanted {
        match self.recent.binary_search_by_key(&offset, |event| event.offset) {
            Ok(place) => Wanted::Here(self.recent[place].clone()),
            Err(_) => Wanted::At(offset),
        }
    }

    /// How many events a stream has before `end` of the partition.
    pub(super) fn count(&self, aggregate_id: &str, end: u64) -> u64 {
        self.streams.get(aggregate_id).map_or(0, |stream| stream.last(end))
    }

    /// Where the newest event is that was there from `from` on and is no longer kept.
    pub(super) fn evicted_from(&self, from: u64) -> Option<u64> {
        self.evicted.filter(|evicted| *evicted >= from)
    }

    /// The events that are kept, from `from` on, and before `end`.
    pub(super) fn recent(&self, from: u64, end: u64) -> impl Iterator<Item = &Recent> {
        let start = self.recent.partition_point(|event| event.offset < from);
        self.recent.range(start..).take_while(move |event| event.offset < end)
    }

    /// Whether a stream is archived.
    pub(super) fn is_archived(&self, aggregate_id: &str) -> bool {
        self.state(aggregate_id) == Some(StreamState::Archived)
    }

    /// About the streams behind `after`, where one is given, in the order of their ids.
    pub(super) fn infos<'k>(
        &'k self,
        aggregate_type: &'k str,
        after: Option<&'k str>,
    ) -> impl Iterator<Item = StreamInfo> + 'k {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let streams = self.streams.range::<str, _>((from, Bound::Unbounded));
        streams.map(move |(id, stream)| stream.info(StreamId::new(aggregate_type.to_owned(), &**id)))
    }

    /// About one stream, where it has events.
    pub(super) fn info(&self, id: &StreamId) -> Option<StreamInfo> {
        self.streams.get(id.aggregate_id()).map(|stream| stream.info(id.clone()))
    }
}

impl Stream {
    /// The sequence of the last event before `end` of the partition.
    fn last(&self, end: u64) -> u64 {
        match self.events.last() {
            Some(entry) if entry.offset >= end => {
                self.events.partition_point(|entry| entry.offset < end) as u64
            }
            _ => self.events.len() as u64,
        }
    }

    fn info(&self, id: StreamId) -> StreamInfo {
        StreamInfo::new(id, self.events.len() as u64, self.last_time).in_state(self.state)
    }
}

/// Sixteen bytes that stand for an id.
fn short(id: &Id) -> [u8; 16] {
    let uuid = id
        .as_uuid()
        .unwrap_or_else(|| id.with_str(|text| Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes())));
    uuid.into_bytes()
}
