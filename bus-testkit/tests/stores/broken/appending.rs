//! Faults on the way into the store.

use std::sync::atomic::Ordering;

use jitney_core::event::Version;
use jitney_core::{Env, Id};
use jitney_sourcing::{
    Append, Appended, Conflict, Duplicate, Error, ErrorKind, EventStore, Expected, NewEvent, Position,
    StreamAppend, StreamAppended, StreamsPerAppend,
};

use super::{Broken, Fault, SECRET, count, is_closed, reading};

impl Broken {
    pub(super) async fn append_broken(&self, append: Append) -> Result<Appended, Error> {
        // So that others come between, as they do on the way to a server.
        tokio::task::yield_now().await;
        match append.check() {
            Err(_) if self.is(Fault::TakesNonsense) => return Ok(Appended::new(Vec::new(), Position::START)),
            Err(_) if self.is(Fault::LeaksThePasswordInErrors) => {
                let what = format!("appending at user:{SECRET}@localhost: it makes no sense");
                return Err(Error::new(ErrorKind::Invalid, what));
            }
            checked => checked?,
        }
        self.refuse_streams_that_do_not_go_together(&append)?;
        let mut parts = append.into_streams();
        for part in &mut parts {
            part.stream = self.kept(&part.stream);
            self.shared.streams.lock().unwrap().insert(part.stream.clone());
            part.expected = self.damaged_expectation(part.expected);
            part.events.iter_mut().for_each(|event| self.damage(event));
            if self.is(Fault::TruncatesBatches) {
                part.events.truncate(1_000);
            }
            if self.is(Fault::TakesEventsWhenArchived) && is_closed(self.memory(), &part.stream).await? {
                // Fails where it was ended.
                let _ = self.memory().restore(&part.stream).await;
            }
        }
        if let Some(answer) = self.shaken(&parts).await {
            return answer;
        }
        let slow = self.is(Fault::PassesOverSlowCommits) && count(&self.shared.appends).is_multiple_of(5);
        if slow {
            let mut hidden = self.shared.hidden.lock().unwrap();
            let until = self.shared.appends.load(Ordering::SeqCst) + 5;
            hidden.extend(
                parts.iter().flat_map(|part| &part.events).map(|event| (event.event_id.clone(), until)),
            );
        }
        let lasts = self.lasts(&parts).await?;
        let stored = match self.fault {
            Some(Fault::StoresStreamByStream) => self.store_each(parts.clone()).await,
            Some(Fault::StoresEventByEvent) => self.store_each(single_events(&parts)).await,
            Some(Fault::ChecksThenAppends) => self.check_then_append(parts.clone(), &lasts).await,
            Some(Fault::ChecksExpectationsFirst) => match unmet(&parts, &lasts) {
                Some(conflict) => Err(Error::conflicting(conflict)),
                None => self.memory().append(join(parts.clone())).await,
            },
            Some(Fault::KnowsIdsInAllStreams) => match self.known_id(&parts) {
                Some(duplicate) => Err(Error::duplicating(duplicate)),
                None => self.memory().append(join(parts.clone())).await,
            },
            _ => self.memory().append(join(parts.clone())).await,
        };
        self.damaged_answer(stored, &parts, &lasts).await
    }

    /// Streams are in one of three parts of the store.
    fn refuse_streams_that_do_not_go_together(&self, append: &Append) -> Result<(), Error> {
        let part_of =
            |part: &StreamAppend| part.stream.aggregate_id().bytes().map(usize::from).sum::<usize>() % 3;
        let streams = append.streams();
        let apart = match self.streams {
            StreamsPerAppend::One => streams.len() > 1,
            StreamsPerAppend::SamePart => streams.iter().any(|part| part_of(part) != part_of(&streams[0])),
            _ => false,
        };
        if apart && !self.is(Fault::TakesWhatDoesNotGoTogether) {
            return Err(Error::new(ErrorKind::Unsupported, "appending to streams of several parts"));
        }
        Ok(())
    }

    fn damaged_expectation(&self, expected: Expected) -> Expected {
        match (self.fault, expected) {
            (Some(Fault::IgnoresNew), Expected::New) => Expected::Any,
            (Some(Fault::IgnoresExists), Expected::Exists) => Expected::Any,
            (Some(Fault::TakesAnyAsExists), Expected::Any) => Expected::Exists,
            (_, expected) => expected,
        }
    }

    fn damage(&self, event: &mut NewEvent) {
        match self.fault {
            Some(Fault::GivesIdsOfItsOwn) => event.event_id = Env::system().new_id(),
            Some(Fault::FoldsEventIds) => {
                event.event_id = Id::from(&*event.event_id.to_string().to_lowercase())
            }
            Some(Fault::RewritesPayloads) => {
                if let Ok(value) = serde_json::from_slice::<serde_json::Value>(&event.payload) {
                    event.payload = value.to_string().into();
                }
            }
            Some(Fault::TruncatesPayloads) => event.payload.truncate(65_536),
            Some(Fault::DropsMinorVersions) => event.version = Version::new(event.version.major, 0),
            Some(Fault::ForgetsVersions) => event.version = Version::new(2, 0),
            Some(Fault::DropsPairs) => event.metadata.pairs.clear(),
            Some(Fault::DropsTraces) => event.metadata.trace = None,
            Some(Fault::KeepsSeconds) => {
                let millis = event.time.as_millisecond() / 1_000 * 1_000;
                event.time = jiff::Timestamp::from_millisecond(millis).unwrap();
            }
            _ => {}
        }
    }

    /// The answer of a server that was just disturbed: none, whether or not it has stored the events.
    async fn shaken(&self, parts: &[StreamAppend]) -> Option<Result<Appended, Error>> {
        let shaken = &self.shared.shaken;
        let left =
            shaken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).ok()?;
        if self.is(Fault::AcknowledgesWhileShaken) {
            return Some(Ok(Appended::new(Vec::new(), Position::START)));
        }
        match left % 3 {
            0 => Some(Err(Error::new(ErrorKind::Store, "appending: the server is away"))),
            1 => Some(Err(Error::new(ErrorKind::Unknown, "appending: no answer"))),
            _ => match self.memory().append(join(parts.to_vec())).await {
                Ok(_) => Some(Err(Error::new(ErrorKind::Unknown, "appending: no answer"))),
                Err(error) => Some(Err(error)),
            },
        }
    }

    async fn lasts(&self, parts: &[StreamAppend]) -> Result<Vec<u64>, Error> {
        let mut lasts = Vec::new();
        for part in parts {
            let info = self.memory().stream_info(&part.stream).await?;
            lasts.push(info.map_or(0, |info| info.last_sequence));
        }
        Ok(lasts)
    }

    async fn store_each(&self, parts: Vec<StreamAppend>) -> Result<Appended, Error> {
        let mut all = Appended::new(Vec::new(), Position::START);
        for part in parts {
            let appended = self.memory().append(join(vec![part])).await?;
            all.streams.extend(appended.streams);
            all.position = appended.position;
        }
        Ok(all)
    }

    /// Others may append between the check and the append.
    async fn check_then_append(
        &self,
        mut parts: Vec<StreamAppend>,
        lasts: &[u64],
    ) -> Result<Appended, Error> {
        if let Some(conflict) = unmet(&parts, lasts) {
            return Err(Error::conflicting(conflict));
        }
        tokio::task::yield_now().await;
        parts.iter_mut().for_each(|part| part.expected = Expected::Any);
        self.memory().append(join(parts)).await
    }

    fn known_id(&self, parts: &[StreamAppend]) -> Option<Duplicate> {
        let mut known = self.shared.event_ids.lock().unwrap();
        let mut duplicate = None;
        for part in parts {
            for event in &part.events {
                if !known.insert(event.event_id.clone()) {
                    let (stream, event_id) = (part.stream.clone(), event.event_id.clone());
                    duplicate = Some(Duplicate { stream, event_id, sequence: 1 });
                }
            }
        }
        duplicate
    }

    async fn damaged_answer(
        &self,
        stored: Result<Appended, Error>,
        parts: &[StreamAppend],
        lasts: &[u64],
    ) -> Result<Appended, Error> {
        let as_stored = || async {
            let streams = lasts.iter().zip(parts);
            let streams = streams.map(|(last, part)| StreamAppended::behind(*last, part.events.len()));
            Ok(Appended::new(streams.collect(), self.memory().end().await?))
        };
        match (self.fault, stored) {
            (Some(Fault::AnswersOtherSequences), Ok(mut appended)) => {
                appended.streams.iter_mut().for_each(|part| part.first_sequence -= 1);
                Ok(appended)
            }
            (Some(Fault::AnswersEarlierPositions), Ok(mut appended)) => {
                appended.position = reading::moved(&appended.position, -1);
                Ok(appended)
            }
            (Some(Fault::AnswersPartsInReverse), Ok(mut appended)) => {
                appended.streams.reverse();
                Ok(appended)
            }
            (Some(Fault::MisstatesConflicts), Err(error)) if error.conflict().is_some() => {
                let conflict = error.conflict().unwrap().clone();
                Err(Error::conflicting(Conflict { actual: conflict.actual + 1, ..conflict }))
            }
            (Some(Fault::AnswersConflictsAsStored), Err(error)) if error.kind() == ErrorKind::Conflict => {
                as_stored().await
            }
            (Some(Fault::AnswersDuplicatesAsStored), Err(error)) if error.kind() == ErrorKind::Duplicate => {
                as_stored().await
            }
            (Some(Fault::TakesExactAsAtLeast), Err(error)) if error.kind() == ErrorKind::Conflict => {
                let mut parts = parts.to_vec();
                for (part, last) in parts.iter_mut().zip(lasts) {
                    if matches!(part.expected, Expected::Exact(sequence) if sequence < *last) {
                        part.expected = Expected::Any;
                    }
                }
                self.memory().append(join(parts)).await
            }
            (Some(Fault::StoresAgainAfterUnknown), Err(error)) if error.kind() == ErrorKind::Duplicate => {
                let mut parts = parts.to_vec();
                for part in &mut parts {
                    part.expected = Expected::Any;
                    part.events.iter_mut().for_each(|event| event.event_id = Env::system().new_id());
                }
                self.memory().append(join(parts)).await
            }
            (_, stored) => stored,
        }
    }
}

fn unmet(parts: &[StreamAppend], lasts: &[u64]) -> Option<Conflict> {
    let unmet = parts.iter().zip(lasts).find(|(part, last)| !part.expected.is_met_by(**last));
    unmet.map(|(part, last)| Conflict { stream: part.stream.clone(), expected: part.expected, actual: *last })
}

fn join(parts: Vec<StreamAppend>) -> Append {
    let mut parts = parts.into_iter();
    let first = parts.next().unwrap();
    let append = Append::to(first.stream, first.expected, first.events);
    parts.fold(append, |append, part| append.and_to(part.stream, part.expected, part.events))
}

/// Each event by itself; the first of a stream under its expectation.
fn single_events(parts: &[StreamAppend]) -> Vec<StreamAppend> {
    let mut single = Vec::new();
    for part in parts {
        for (number, event) in part.events.iter().enumerate() {
            let mut alone = part.clone();
            alone.events = vec![event.clone()];
            alone.expected = if number == 0 { part.expected } else { Expected::Any };
            single.push(alone);
        }
    }
    single
}
