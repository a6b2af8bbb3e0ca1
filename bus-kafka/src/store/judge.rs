//! Whether a request can be done, by what is known of the partition and what goes into the same transaction before it.

use std::collections::HashMap;

use jitney_core::message::{Message, Topic};
use jitney_core::{Env, Id};
use jitney_sourcing::{
    Append, Conflict, Duplicate, Error, Expected, NewEvent, StreamAppend, StreamAppended, StreamId,
    StreamState,
};

use super::claim::{Answer, Request};
use super::log::Known;
use super::wire;

/// Judges the requests of one transaction, one after the other.
pub(super) struct Judge<'k> {
    known: &'k Known,
    topic: &'k Topic,
    env: &'k Env,
    /// What the transaction has changed so far.
    changed: HashMap<String, Changed>,
}

struct Changed {
    last: u64,
    ids: HashMap<Id, u64>,
    state: Option<StreamState>,
}

impl<'k> Judge<'k> {
    pub(super) fn new(known: &'k Known, topic: &'k Topic, env: &'k Env) -> Self {
        Judge { known, topic, env, changed: HashMap::new() }
    }

    /// The answer to `request` once its records are stored; none are to be where it is refused.
    pub(super) fn judge(&mut self, request: &Request) -> (Answer, Vec<Message>) {
        let judged = match request {
            Request::Append(append) => self.append(append),
            Request::Change { id, stream, expected, state } => self.change(id, stream, *expected, *state),
        };
        match judged {
            Ok((parts, messages)) => (Ok(parts), messages),
            Err(error) => (Err(error), Vec::new()),
        }
    }

    fn append(&mut self, append: &Append) -> Result<(Vec<StreamAppended>, Vec<Message>), Error> {
        for part in append.streams() {
            self.known.check("appending", part.stream.aggregate_id())?;
            self.refuse_duplicates(part)?;
        }
        append.streams().iter().try_for_each(|part| self.check(&part.stream, part.expected))?;
        let (mut parts, mut messages) = (Vec::new(), Vec::new());
        let now = self.env.now();
        for StreamAppend { stream, events, .. } in append.streams() {
            let last = self.last(stream);
            for (sequence, event) in (last + 1..).zip(events) {
                messages.push(wire::event(self.topic, stream, sequence, event.clone(), now)?);
            }
        }
        // Nothing can be refused any more.
        for StreamAppend { stream, events, .. } in append.streams() {
            let last = self.last(stream);
            parts.push(StreamAppended::behind(last, events.len()));
            let changed = self.changed(stream);
            changed.last += events.len() as u64;
            changed
                .ids
                .extend((last + 1..).zip(events).map(|(sequence, event)| (event.event_id.clone(), sequence)));
            changed.state.get_or_insert(StreamState::Open);
        }
        Ok((parts, messages))
    }

    fn change(
        &mut self,
        id: &Id,
        stream: &StreamId,
        expected: Expected,
        state: StreamState,
    ) -> Result<(Vec<StreamAppended>, Vec<Message>), Error> {
        self.known.check("changing the state of a stream", stream.aggregate_id())?;
        let current = self.state(stream);
        match (current, state) {
            (Some(current), _) if current == state => return Ok((Vec::new(), Vec::new())),
            (Some(StreamState::Archived), StreamState::Open) => {}
            _ => self.check(stream, expected)?,
        }
        if current.is_none() {
            let expected = Expected::Exists;
            return Err(Error::conflicting(Conflict { stream: stream.clone(), expected, actual: 0 }));
        }
        let mark = wire::mark(self.topic, id, stream, state, self.env)?;
        self.changed(stream).state = Some(state);
        Ok((Vec::new(), vec![mark]))
    }

    fn refuse_duplicates(&self, part: &StreamAppend) -> Result<(), Error> {
        let StreamAppend { stream, events, .. } = part;
        let changed = self.changed.get(stream.aggregate_id());
        let sequence_of = |id: &Id| {
            let stored = || self.known.sequence_of(stream.aggregate_id(), id);
            changed.and_then(|changed| changed.ids.get(id).copied()).or_else(stored)
        };
        let known = match self.last(stream) {
            0 => None,
            _ => events.iter().find_map(|event| Some((&event.event_id, sequence_of(&event.event_id)?))),
        };
        known.map_or(Ok(()), |(event_id, sequence)| {
            let (stream, event_id) = (stream.clone(), event_id.clone());
            Err(Error::duplicating(Duplicate { stream, event_id, sequence }))
        })
    }

    /// Refuses a change of a stream that is closed, or not where it is expected.
    fn check(&self, stream: &StreamId, expected: Expected) -> Result<(), Error> {
        match self.state(stream) {
            Some(StreamState::Ended) => return Err(Error::ended(stream)),
            Some(StreamState::Archived) => return Err(Error::archived(stream)),
            _ => {}
        }
        let actual = self.last(stream);
        match expected.is_met_by(actual) {
            true => Ok(()),
            false => Err(Error::conflicting(Conflict { stream: stream.clone(), expected, actual })),
        }
    }

    fn last(&self, stream: &StreamId) -> u64 {
        let changed = self.changed.get(stream.aggregate_id());
        changed.map_or_else(|| self.known.last(stream.aggregate_id()), |changed| changed.last)
    }

    fn state(&self, stream: &StreamId) -> Option<StreamState> {
        let changed = self.changed.get(stream.aggregate_id()).and_then(|changed| changed.state);
        changed.or_else(|| self.known.state(stream.aggregate_id()))
    }

    fn changed(&mut self, stream: &StreamId) -> &mut Changed {
        let (last, state) = (self.last(stream), self.state(stream));
        let new = || Changed { last, ids: HashMap::new(), state };
        self.changed.entry(stream.aggregate_id().to_owned()).or_insert_with(new)
    }
}

/// Whether everything of a request that gets this answer was read, and that told: everything before `position` was.
///
/// What else was read says nothing: it may be the next owner's, who has aborted this.
pub(super) fn is_read(known: &Known, position: u64, request: &Request, answer: &Answer) -> bool {
    let is_there = match request {
        Request::Append(_) => stored(known, request).as_ref() == answer.as_ref().ok(),
        // The stream may have been in that state before.
        Request::Change { id, stream, .. } => known.has_mark(stream.aggregate_id(), id),
    };
    known.end() <= position && is_there
}

/// What became of a request that was sent, where it is known now that nothing of it is on its way: the answer, where it is
/// stored.
pub(super) fn stored(known: &Known, request: &Request) -> Option<Vec<StreamAppended>> {
    match request {
        Request::Append(append) => append
            .streams()
            .iter()
            .map(|part| {
                let sequence_of =
                    |event: &NewEvent| known.sequence_of(part.stream.aggregate_id(), &event.event_id);
                let last = sequence_of(part.events.last()?)?;
                let before = last.checked_sub(part.events.len() as u64)?;
                let is_whole = sequence_of(part.events.first()?)? == before + 1;
                is_whole.then(|| StreamAppended::behind(before, part.events.len()))
            })
            .collect(),
        Request::Change { stream, state, .. } => {
            (known.state(stream.aggregate_id()) == Some(*state)).then(Vec::new)
        }
    }
}

#[cfg(test)]
mod tests {
    use jitney_core::DomainEvent;
    use jitney_core::event::{DecodeError, EventType, StoredPayload, Version};
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::store::log::Log;
    use crate::store::place::{Follower, Place};

    #[derive(Serialize, Deserialize)]
    struct Placed {}

    impl DomainEvent for Placed {
        const TYPES: &'static [EventType] =
            &[EventType::new("Placed", "Order", Version::new(1, 0), "Order-events")];

        fn event_type(&self) -> &'static EventType {
            &Self::TYPES[0]
        }

        fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> {
            payload.read()
        }
    }

    fn stream(id: &str) -> StreamId {
        StreamId::new("Order", id)
    }

    fn event(id: &str) -> NewEvent {
        NewEvent::new(id.into(), jiff::Timestamp::UNIX_EPOCH, &Placed {}).unwrap()
    }

    fn take(log: &Log, offset: u64, id: &str, sequence: u64, event_id: &str) {
        let topic = Topic::from("Order-events".to_owned());
        let now = Env::system().now();
        log.take(offset, wire::event(&topic, &stream(id), sequence, event(event_id), now).unwrap());
    }

    #[test]
    fn an_append_was_read_when_its_own_events_were_and_that_was_told() {
        let log = Log::new(Place::new("Order-events", 0), "Order", 1, 1 << 20);
        take(&log, 0, "a", 1, "before");
        let append = Append::to(stream("a"), Expected::Exact(1), [event("first"), event("second")]);
        let request = Request::Append(append);
        let answer = Ok(vec![StreamAppended::behind(1, 2)]);
        let is_read = |position| is_read(&log.known(), position, &request, &answer);
        assert!(!is_read(1), "nothing of it is there");
        // Another owner has stored as many events, and more.
        for (offset, sequence) in [(4, 1), (5, 2), (6, 3)] {
            take(&log, offset, "b", sequence, &format!("other-{sequence}"));
        }
        assert!(!is_read(8), "other events are there");
        take(&log, 8, "a", 2, "first");
        assert!(!is_read(9), "half of it is there");
        take(&log, 9, "a", 3, "second");
        assert!(!is_read(9), "positions do not hold it yet");
        assert!(is_read(10));
    }

    #[test]
    fn a_change_of_state_was_read_when_its_own_mark_was() {
        let log = Log::new(Place::new("Order-events", 0), "Order", 1, 1 << 20);
        take(&log, 0, "a", 1, "before");
        let (topic, now) = (Topic::from("Order-events".to_owned()), Env::system());
        let request = Request::Change {
            id: "own".into(),
            stream: stream("a"),
            expected: Expected::Any,
            state: StreamState::Open,
        };
        let is_read = |position| is_read(&log.known(), position, &request, &Ok(Vec::new()));
        assert!(!is_read(1), "the stream is in that state, and the mark is not there");
        for (offset, id, state) in [(1, "other", StreamState::Archived), (2, "own", StreamState::Open)] {
            assert!(!is_read(offset));
            log.take(offset, wire::mark(&topic, &id.into(), &stream("a"), state, &now).unwrap());
        }
        assert!(!is_read(2), "positions do not hold it yet");
        assert!(is_read(3));
    }
}
