//! Snapshots: one compacted topic a store, from which the newest record of a stream counts.
//!
//! The state is the record's value, and what is said about it are headers. A snapshot that is deleted is replaced by a record
//! that says so, and not by a Kafka tombstone: so the last record of a partition is never one that the cluster takes away,
//! and whoever reads up to the end gets there.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jitney_core::message::{Header, Message, Topic};
use jitney_core::{Env, Id};
use jitney_sourcing::{StoredSnapshot, StreamId};

use super::place::{Follower, Place};

const SEQUENCE: &str = "jitney-sequence";
const EVENT_ID: &str = "jitney-event-id";
const SCHEMA: &str = "jitney-schema";
const TIME: &str = "jitney-time";
const CHECKSUM: &str = "jitney-checksum";
const DELETED: &str = "jitney-deleted";

/// The snapshots of one partition.
pub(super) struct Shelf {
    place: Place,
    /// The newest snapshots are kept up to so many bytes.
    cache_bytes: usize,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    slots: HashMap<Bytes, Slot>,
    /// Those that are kept, the oldest first; some of them were replaced since.
    kept: VecDeque<(u64, Bytes)>,
    bytes: usize,
}

struct Slot {
    offset: u64,
    message: Option<Message>,
}

/// Where the snapshot of a stream is.
pub(super) enum Wanted {
    Nowhere,
    Here(Message),
    /// To be read again.
    At(u64),
}

impl Shelf {
    pub(super) fn new(place: Place, cache_bytes: usize) -> Self {
        Shelf { place, cache_bytes, known: Mutex::default() }
    }

    pub(super) fn find(&self, key: &[u8]) -> Wanted {
        match self.known().slots.get(key) {
            None => Wanted::Nowhere,
            Some(Slot { message: Some(message), .. }) => Wanted::Here(message.clone()),
            Some(Slot { offset, message: None }) => Wanted::At(*offset),
        }
    }

    /// The keys of all snapshots that there are.
    pub(super) fn keys(&self) -> Vec<Bytes> {
        self.known().slots.keys().cloned().collect()
    }

    // What is known is never left half changed.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower for Shelf {
    fn place(&self) -> &Place {
        &self.place
    }

    fn take(&self, offset: u64, message: Message) {
        let Some(key) = message.key.clone() else { return };
        let mut known = self.known();
        let known = &mut *known;
        if message.header(DELETED).is_some() {
            if let Some(Slot { message: Some(old), .. }) = known.slots.remove(&key) {
                known.bytes -= old.size();
            }
            return;
        }
        known.bytes += message.size();
        known.kept.push_back((offset, key.clone()));
        let replaced = known.slots.insert(key, Slot { offset, message: Some(message) });
        if let Some(Slot { message: Some(old), .. }) = replaced {
            known.bytes -= old.size();
        }
        while known.bytes > self.cache_bytes {
            let Some((offset, key)) = known.kept.pop_front() else { break };
            let slot = known.slots.get_mut(&key).filter(|slot| slot.offset == offset);
            if let Some(old) = slot.and_then(|slot| slot.message.take()) {
                known.bytes -= old.size();
            }
        }
    }
}

/// The key of a stream's snapshot. A type that names a topic has no slash.
pub(super) fn key(stream: &StreamId) -> Bytes {
    format!("{}/{}", stream.aggregate_type(), stream.aggregate_id()).into()
}

/// The record of `snapshot`.
pub(super) fn record(topic: &Topic, stream: &StreamId, snapshot: StoredSnapshot, env: &Env) -> Message {
    let headers = vec![
        Header::new(SEQUENCE, snapshot.sequence.to_string()),
        Header::new(EVENT_ID, snapshot.event_id.to_string()),
        Header::new(SCHEMA, snapshot.schema.to_string()),
        Header::new(TIME, snapshot.time.to_string()),
        Header::new(CHECKSUM, snapshot.checksum.to_string()),
    ];
    Message { topic: topic.clone(), key: Some(key(stream)), headers, time: env.now(), body: snapshot.state }
}

/// The record by which a stream has no snapshot.
pub(super) fn deletion(topic: &Topic, stream: &StreamId, env: &Env) -> Message {
    deletion_of(topic, key(stream), env)
}

/// The record by which there is no snapshot under `key`.
pub(super) fn deletion_of(topic: &Topic, key: Bytes, env: &Env) -> Message {
    let headers = vec![Header::new(DELETED, "")];
    Message { topic: topic.clone(), key: Some(key), headers, time: env.now(), body: Bytes::new() }
}

/// The snapshot of a record; none where the record is none of a snapshot's.
pub(super) fn read(message: &Message) -> Option<StoredSnapshot> {
    let header = |name| message.header_str(name);
    let mut snapshot = StoredSnapshot::new(
        header(SEQUENCE)?.parse().ok()?,
        Id::from(header(EVENT_ID)?),
        header(SCHEMA)?.parse().ok()?,
        header(TIME)?.parse().ok()?,
        message.body.clone(),
    );
    // As it was found: whoever loads it looks whether it is whole.
    snapshot.checksum = header(CHECKSUM)?.parse().ok()?;
    Some(snapshot)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn stream(id: &str) -> StreamId {
        StreamId::new("Order", id)
    }

    fn snapshot(state: &'static str) -> StoredSnapshot {
        let time = jiff::Timestamp::from_millisecond(7).unwrap();
        StoredSnapshot::new(3, "e-3".into(), Uuid::NAMESPACE_OID, time, state)
    }

    fn message(id: &str, state: &'static str) -> Message {
        record(&"s".into(), &stream(id), snapshot(state), &Env::system())
    }

    #[test]
    fn a_snapshot_comes_back_as_it_was_and_a_damaged_one_shows() {
        let found = message("a", "{\"total\":");
        assert_eq!(read(&found), Some(snapshot("{\"total\":")));
        let damaged = Message { body: "{}".into(), ..found };
        assert!(!read(&damaged).unwrap().is_intact());
        assert_eq!(read(&Message { headers: Vec::new(), ..damaged }), None);
    }

    #[test]
    fn the_newest_record_counts_and_what_is_too_much_is_read_again() {
        let room = message("a", "{}").size() * 2;
        let shelf = Shelf::new(Place::new("s", 0), room);
        for (offset, id) in [(0, "a"), (1, "b"), (2, "b"), (3, "c")] {
            shelf.take(offset, message(id, "{}"));
        }
        assert!(matches!(shelf.find(b"Order/a"), Wanted::At(0)));
        assert!(matches!(shelf.find(b"Order/b"), Wanted::Here(_)));
        assert!(matches!(shelf.find(b"Order/c"), Wanted::Here(_)));
        shelf.take(4, deletion(&"s".into(), &stream("c"), &Env::system()));
        assert!(matches!(shelf.find(b"Order/c"), Wanted::Nowhere));
        shelf.take(5, message("d", "{}"));
        assert!(matches!(shelf.find(b"Order/b"), Wanted::Here(_)), "what was deleted gave its room back");
    }
}
