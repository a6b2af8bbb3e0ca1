//! Each step is done to the store and to the model, and both must answer alike.

use std::sync::Arc;

use jitney_sourcing::{
    Append, Error, ErrorKind, EventStore, Filter, ListStreams, NewEvent, Position, ReadStream, StoredEvent,
    StreamId, StreamState, StreamsPerAppend,
};

use super::plain::{Part, Plain, PlainStream};
use super::step::{STREAMS, Step};
use crate::conformance::failure::{Outcome, ensure};
use crate::stores::trial::Trial;
use crate::stores::{content, expectations, snapshots};

/// The types of events, in turn.
const EVENT_TYPES: [&str; 2] = ["Opened", "Closed"];

pub(super) struct Play<'t, 'f> {
    trial: &'t Trial<'f>,
    store: Arc<dyn EventStore>,
    plain: Plain,
    /// Where the store was before the first step.
    start: Position,
    /// What the ids of the streams begin with.
    prefix: String,
}

impl<'t, 'f> Play<'t, 'f> {
    pub(super) async fn begin(trial: &'t Trial<'f>) -> Outcome<Self> {
        let store = trial.store().await?;
        let start = trial.wait("the end", store.end()).await??;
        // So that the streams of this play are listed beside each other.
        let prefix = format!("{}/", trial.id());
        let [a, b] = &trial.types;
        let stream = |aggregate_type: &String, number: usize| {
            StreamId::new(aggregate_type.clone(), format!("{prefix}{number}"))
        };
        let ids: [StreamId; STREAMS] = [stream(a, 3), stream(a, 1), stream(b, 1), stream(a, 2)];
        Ok(Play { trial, store, plain: Plain::new(ids), start, prefix })
    }

    pub(super) async fn step(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Append { stream, expected, count, again } => {
                let mut events = self.events(*count);
                let known = &self.plain.streams[*stream].events;
                if let Some(known) = again.and_then(|again| known.get(again)) {
                    events.push(known.clone());
                }
                let expected = self.plain.streams[*stream].guessed(*expected);
                self.append(vec![(*stream, expected, events)]).await
            }
            Step::AppendToTwo { streams, expected } => {
                let any = self.trial.capabilities.streams_per_append == StreamsPerAppend::Any;
                if !any || streams[0] == streams[1] {
                    return Ok(());
                }
                let part = |place: usize| {
                    let expected = self.plain.streams[streams[place]].guessed(expected[place]);
                    (streams[place], expected, self.events(2))
                };
                self.append(vec![part(0), part(1)]).await
            }
            Step::Read { stream, backward, from, limit } => {
                self.read(*stream, *backward, *from, *limit).await
            }
            Step::ReadAll { limit, archived, other_type, event_type } => {
                self.read_all(*limit, *archived, *other_type, *event_type).await
            }
            Step::Find { stream, event } => self.find(*stream, *event).await,
            Step::Archive { stream } => {
                let answer =
                    self.trial.as_owner(|| self.store.archive(&self.plain.streams[*stream].id)).await;
                agree(&answer, self.plain.archive(*stream).map_err(|reason| vec![reason]))
            }
            Step::Restore { stream } => {
                let answer =
                    self.trial.as_owner(|| self.store.restore(&self.plain.streams[*stream].id)).await;
                agree(&answer, self.plain.restore(*stream).map_err(|reason| vec![reason]))
            }
            Step::End { stream, expected } => {
                let expected = self.plain.streams[*stream].guessed(*expected);
                let answer = self
                    .trial
                    .as_owner(|| self.store.end_stream(&self.plain.streams[*stream].id, expected))
                    .await;
                agree(&answer, self.plain.end(*stream, expected).map_err(|reason| vec![reason]))
            }
            Step::Info { stream } => self.info(*stream).await,
            Step::List { after, state, limit } => self.list(*after, *state, *limit).await,
            Step::SaveSnapshot { stream, sequence } => self.save_snapshot(*stream, *sequence).await,
            Step::LoadSnapshot { stream } => self.load_snapshot(*stream).await,
            Step::DeleteSnapshot { stream } => self.delete_snapshot(*stream).await,
            Step::Reopen => {
                self.store = self.trial.store().await?;
                Ok(())
            }
        }
    }

    /// In the end, everything is as in the model.
    pub(super) async fn judge(&self) -> Outcome {
        for stream in 0..STREAMS {
            let PlainStream { id, events, .. } = &self.plain.streams[stream];
            expectations::holds(id, &self.trial.stored(&*self.store, id).await?, events)?;
            self.info(stream).await?;
            self.load_snapshot(stream).await?;
        }
        self.read_all(3, true, false, false).await?;
        self.read_all(3, false, false, false).await?;
        self.list(None, None, 100).await
    }

    fn events(&self, count: usize) -> Vec<NewEvent> {
        let event = |number: usize| content::event_of_type(&self.trial.env, EVENT_TYPES[number % 2]);
        (0..count).map(event).collect()
    }

    async fn append(&mut self, parts: Vec<Part>) -> Outcome {
        let mut append: Option<Append> = None;
        for (stream, expected, events) in &parts {
            let (id, expected, events) = (self.plain.streams[*stream].id.clone(), *expected, events.clone());
            append = Some(match append {
                Some(append) => append.and_to(id, expected, events),
                None => Append::to(id, expected, events),
            });
        }
        let Some(append) = append else { return Ok(()) };
        let before: Vec<_> = parts.iter().map(|(stream, ..)| self.plain.streams[*stream].last()).collect();
        let counts: Vec<_> = parts.iter().map(|(_, _, events)| events.len() as u64).collect();
        let answer = self.trial.try_append(&*self.store, append).await?;
        let sequences: Option<Vec<_>> = answer.as_ref().ok().map(|appended| {
            appended.streams.iter().map(|part| (part.first_sequence, part.last_sequence)).collect()
        });
        agree(&answer, self.plain.append(parts))?;
        let expected: Vec<_> =
            before.iter().zip(counts).map(|(before, count)| (before + 1, before + count)).collect();
        ensure!(
            sequences.as_ref().is_none_or(|sequences| *sequences == expected),
            "events went to {expected:?}, and the answer is {sequences:?}"
        );
        Ok(())
    }

    async fn read(&self, stream: usize, backward: bool, from: u64, limit: usize) -> Outcome {
        let PlainStream { id, events, .. } = &self.plain.streams[stream];
        let read = if backward { ReadStream::backward() } else { ReadStream::forward() };
        let read = read.from(from).limit(limit);
        let found = self.trial.wait("a stream read", self.store.read_stream(id, read)).await??;
        let mut expected: Vec<(u64, &NewEvent)> = (1..).zip(events).collect();
        if backward {
            expected.reverse();
        }
        expected.retain(|(sequence, _)| if backward { *sequence <= from } else { *sequence >= from });
        expected.truncate(limit);
        let sequences: Vec<_> = found.iter().map(StoredEvent::sequence).collect();
        let wanted: Vec<_> = expected.iter().map(|(sequence, _)| *sequence).collect();
        ensure!(sequences == wanted, "events {sequences:?} were read, where there are {wanted:?}");
        for (found, (sequence, event)) in found.iter().zip(expected) {
            expectations::is_as_appended(found, event, id, sequence)?;
        }
        Ok(())
    }

    async fn read_all(&self, limit: usize, archived: bool, other_type: bool, event_type: bool) -> Outcome {
        let [a, _] = &self.trial.types;
        let mut filter =
            if other_type { Filter::all().aggregate_types([a.clone()]) } else { self.trial.filter() };
        if event_type {
            filter = filter.event_types([EVENT_TYPES[0]]);
        }
        if !archived {
            filter = filter.without_archived();
        }
        let end = self.trial.wait("the end", self.store.end()).await??;
        let read = self.trial.read_between(&*self.store, &self.start, &filter, limit, &end).await?;
        let passes = |(stream, sequence): &(usize, u64)| {
            let stream = &self.plain.streams[*stream];
            let event = &stream.events[*sequence as usize - 1];
            filter.is_for(stream.id.aggregate_type(), &event.event_type)
                && (archived || stream.state != StreamState::Archived)
        };
        let name = |stream: StreamId, sequence: u64| format!("{stream} {sequence}");
        let expected = self.plain.order.iter().filter(|place| passes(place));
        let mut expected: Vec<_> = expected
            .map(|(stream, sequence)| name(self.plain.streams[*stream].id.clone(), *sequence))
            .collect();
        let mut found: Vec<_> = read.iter().map(|event| name(event.stream(), event.sequence())).collect();
        if !self.trial.capabilities.one_order {
            for stream in &self.plain.streams {
                let of: Vec<_> = read.iter().filter(|event| event.stream() == stream.id).collect();
                let in_order = of.windows(2).all(|pair| pair[0].sequence() < pair[1].sequence());
                ensure!(in_order, "the events of stream {} were not read in their order", stream.id);
            }
            expected.sort_unstable();
            found.sort_unstable();
        }
        ensure!(found == expected, "of all events, {found:?} were read, where there are {expected:?}");
        Ok(())
    }

    async fn find(&self, stream: usize, event: usize) -> Outcome {
        let PlainStream { id, events, .. } = &self.plain.streams[stream];
        let Some(event) = events.get(event) else { return Ok(()) };
        let found = self.trial.wait("an event by its id", self.store.find_event(id, &event.event_id));
        let found = found.await??;
        let sequence = events.iter().zip(1..).find(|(known, _)| known.event_id == event.event_id);
        let (Some(found), Some((_, sequence))) = (&found, sequence) else {
            ensure!(false, "an event of stream {id} is not found by its id");
            return Ok(());
        };
        expectations::is_as_appended(found, event, id, sequence)
    }

    async fn info(&self, stream: usize) -> Outcome {
        let stream = &self.plain.streams[stream];
        let info = self.trial.wait("what is known of a stream", self.store.stream_info(&stream.id)).await??;
        let known = info.map(|info| (info.stream, info.last_sequence, info.last_time, info.state));
        let expected = stream.events.last();
        let expected = expected.map(|last| (stream.id.clone(), stream.last(), last.time, stream.state));
        ensure!(known == expected, "the store knows of a stream {known:?}, which is {expected:?}");
        Ok(())
    }

    async fn list(&self, after: Option<usize>, state: Option<StreamState>, limit: usize) -> Outcome {
        let [a, _] = &self.trial.types;
        let of_type = |stream: &usize| self.plain.streams[*stream].id.aggregate_type() == a;
        let after = after.filter(of_type).map(|after| self.plain.streams[after].id.aggregate_id());
        let list = ListStreams::of(a.clone()).after(after.unwrap_or(&self.prefix)).limit(limit);
        let list = match state {
            Some(state) => list.in_state(state),
            None => list,
        };
        let listed = self.trial.wait("a list of streams", self.store.list_streams(&list)).await??;
        ensure!(listed.len() <= limit, "a list of at most {limit} streams has {}", listed.len());
        let listed: Vec<_> = listed
            .iter()
            .map(|info| (info.stream.aggregate_id().to_owned(), info.last_sequence, info.state))
            .filter(|(id, ..)| id.starts_with(&self.prefix))
            .collect();
        let mut expected: Vec<_> = self
            .plain
            .streams
            .iter()
            .filter(|stream| stream.id.aggregate_type() == a && !stream.events.is_empty())
            .filter(|stream| after.is_none_or(|after| stream.id.aggregate_id() > after))
            .filter(|stream| state.is_none_or(|state| stream.state == state))
            .map(|stream| (stream.id.aggregate_id().to_owned(), stream.last(), stream.state))
            .collect();
        expected.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        expected.truncate(limit);
        ensure!(listed == expected, "the streams {listed:?} were listed, and are {expected:?}");
        Ok(())
    }

    async fn save_snapshot(&mut self, stream: usize, sequence: u64) -> Outcome {
        let Some(kept) = self.store.snapshots() else { return Ok(()) };
        if self.plain.streams[stream].events.is_empty() {
            return Ok(());
        }
        let snapshot = snapshots::snapshot(self.trial, sequence, format!("{{\"total\":{sequence}}}"))?;
        kept.save_snapshot(&self.plain.streams[stream].id, snapshot.clone()).await?;
        self.plain.streams[stream].snapshot = Some(snapshot);
        Ok(())
    }

    async fn load_snapshot(&self, stream: usize) -> Outcome {
        let Some(kept) = self.store.snapshots() else { return Ok(()) };
        let stream = &self.plain.streams[stream];
        let found = self.trial.wait("a snapshot", kept.load_snapshot(&stream.id)).await??;
        ensure!(found == stream.snapshot, "a snapshot is {:?}, and was found as {found:?}", stream.snapshot);
        Ok(())
    }

    async fn delete_snapshot(&mut self, stream: usize) -> Outcome {
        let Some(kept) = self.store.snapshots() else { return Ok(()) };
        kept.delete_snapshot(&self.plain.streams[stream].id).await?;
        self.plain.streams[stream].snapshot = None;
        Ok(())
    }
}

/// Both took it, or both refused it, the store for one of the model's reasons.
fn agree<T: std::fmt::Debug>(answer: &Result<T, Error>, expected: Result<(), Vec<ErrorKind>>) -> Outcome {
    let refused = answer.as_ref().err().map(Error::kind);
    match (refused, expected) {
        (None, Ok(())) => Ok(()),
        (Some(kind), Err(reasons)) if reasons.contains(&kind) => Ok(()),
        (_, expected) => {
            ensure!(false, "the store answered {answer:?}, and the model {expected:?}");
            Ok(())
        }
    }
}
