//! Personal data is sealed where it is stored, and opened where it is read.

use std::convert::Infallible;
use std::sync::Arc;

use jitney_core::DomainEvent;
use jitney_core::event::{DecodeError, EventType, StoredPayload, Version};
use jitney_sourcing::{
    Aggregate, Append, ErrorKind, EventStore, Events, Expected, NewEvent, ReadStream, Repository,
    SnapshotPolicy, StoredEvent, StreamId,
};
use serde::{Deserialize, Serialize};

use super::content::AGGREGATE;
use super::snapshots;
use super::trial::Trial;
use crate::conformance::failure::{Failure, Outcome, ensure};
use crate::mirror::{Mirror, PersonalText};

/// What must be nowhere in a store.
const NAME: &str = "Maria Anders";

/// Somebody was named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Named {
    name: Option<PersonalText>,
}

impl DomainEvent for Named {
    const TYPES: &'static [EventType] =
        &[EventType::new("Named", AGGREGATE, Version::new(1, 0), "ConformanceCounter-events")];

    fn event_type(&self) -> &'static EventType {
        &Self::TYPES[0]
    }

    fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> {
        if payload.is(&Self::TYPES[0]) { payload.read() } else { Err(payload.unknown()) }
    }
}

/// Knows the last name.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Person {
    last: Option<PersonalText>,
}

impl Aggregate for Person {
    type Event = Named;
    type Command = Named;
    type Error = Infallible;

    fn decide(&self, named: Named) -> Result<Events<Named>, Infallible> {
        Ok(named.into())
    }

    fn evolve(&mut self, Named { name }: &Named) {
        self.last.clone_from(name);
    }
}

fn named(subject: &str) -> Named {
    Named { name: Some(PersonalText::of(subject, NAME)) }
}

fn new(trial: &Trial<'_>, named: &Named) -> Outcome<NewEvent> {
    Ok(NewEvent::new(trial.env.new_id(), trial.env.now(), named)?)
}

async fn sealed_store(trial: &Trial<'_>, mirror: &Mirror) -> Outcome<Arc<dyn EventStore>> {
    let store = trial.fixture.sealed_store(Arc::new(mirror.clone())).await?;
    ensure!(store.sealer().is_some(), "a store that was given a sealer says that it has none");
    Ok(store)
}

/// Whether `events` have the name, sealed.
fn are_sealed(events: &[StoredEvent]) -> Outcome {
    for event in events {
        let payload = String::from_utf8_lossy(event.payload_json());
        let (sequence, stream) = (event.sequence(), event.stream());
        ensure!(
            payload.contains("$sealed") && !payload.contains(NAME) && !payload.contains("$personal"),
            "event {sequence} of stream {stream} is stored as {payload}"
        );
    }
    Ok(())
}

fn reads_as(what: &str, events: &[StoredEvent], expected: &[Named]) -> Outcome {
    let read: Result<Vec<Named>, _> = events.iter().map(StoredEvent::decode).collect();
    let read = read.map_err(|error| Failure(format!("{what}: an event was not opened: {error:?}")))?;
    ensure!(read == expected, "{what}: {} events were appended, and {read:?} were read", expected.len());
    Ok(())
}

pub(super) async fn refuses_personal_data_that_nothing_seals(trial: &Trial<'_>) -> Outcome {
    let (store, stream) = (trial.store().await?, trial.stream());
    trial.append_some(&*store, &stream, 1).await?;
    let events = [new(trial, &Named { name: None })?, new(trial, &named("s-1"))?];
    let append = Append::to(stream.clone(), Expected::Any, events);
    let what = "an append with personal data that nothing seals";
    let error = trial.refused(&*store, append, ErrorKind::Config, what).await?.to_string();
    let missing = ["`Named`", "sealed_by"].into_iter().find(|part| !error.contains(part));
    ensure!(
        missing.is_none() && !error.contains(NAME),
        "the error does not say {missing:?}, or what it is: {error}"
    );
    let stored = trial.stored(&*store, &stream).await?.len();
    ensure!(stored == 1, "of an append that was refused, {} events are stored", stored - 1);
    Ok(())
}

pub(super) async fn stores_personal_data_sealed(trial: &Trial<'_>) -> Outcome {
    let mirror = Mirror::new();
    let (store, plain, stream) = (sealed_store(trial, &mirror).await?, trial.store().await?, trial.stream());
    let all = [named("s-1"), Named { name: None }, named("s-2")];
    let events = all.iter().map(|named| new(trial, named)).collect::<Outcome<Vec<_>>>()?;
    let ids: Vec<_> = events.iter().map(|event| event.event_id.clone()).collect();
    let appended = trial.append(&*store, Append::to(stream.clone(), Expected::New, events)).await?;
    let mut kept = trial.stored(&*plain, &stream).await?;
    ensure!(kept.len() == 3, "3 events were appended, and {} are stored", kept.len());
    let open = kept.remove(1);
    ensure!(open.payload_json() == "{\"name\":null}", "an event without personal data is stored as {open:?}");
    are_sealed(&kept)?;
    let of_stream = trial.stored(&*store, &stream).await?;
    reads_as("a stream read", &of_stream, &all)?;
    let mut backward =
        trial.wait("a stream read", store.read_stream(&stream, ReadStream::backward())).await??;
    backward.reverse();
    reads_as("a stream read backward", &backward, &all)?;
    let of_all = trial.read_to(&*store, &trial.filter(), 2, &appended.position).await?;
    reads_as("a read of all events", &of_all, &all)?;
    let found = trial.wait("an event by its id", store.find_event(&stream, &ids[2])).await??;
    reads_as("an event by its id", &Vec::from_iter(found), &all[2..])?;
    mirror.forget("s-1");
    let erased = Named { name: Some(PersonalText { subject: "s-1".to_owned(), text: None }) };
    let [_, middle, last] = all;
    reads_as("a read behind forgetting", &trial.stored(&*store, &stream).await?, &[erased, middle, last])
}

pub(super) async fn opens_personal_data_in_its_place_alone(trial: &Trial<'_>) -> Outcome {
    let mirror = Mirror::new();
    let (store, plain) = (sealed_store(trial, &mirror).await?, trial.store().await?);
    let (stream, other) = (trial.stream(), trial.stream());
    let append = Append::to(stream.clone(), Expected::New, [new(trial, &named("s-1"))?]);
    trial.append(&*store, append).await?;
    // Somebody who can write to the store has it say this of somebody else: what is sealed already is stored as it is.
    let mut moved = new(trial, &Named { name: None })?;
    moved.payload = trial.stored(&*plain, &stream).await?[0].payload_json().clone();
    let events = [moved, new(trial, &Named { name: None })?];
    let appended = trial.append(&*store, Append::to(other.clone(), Expected::New, events)).await?;
    let of_all = trial.read_to(&*store, &trial.filter(), 10, &appended.position).await?;
    let of_all: Vec<_> = of_all.into_iter().filter(|event| event.stream() == other).collect();
    for events in [trial.stored(&*store, &other).await?, of_all] {
        ensure!(
            events.len() == 2,
            "of 2 events, one of them with a value from elsewhere, {} are read",
            events.len()
        );
        let read = events[0].decode::<Named>();
        let Err(error) = read else {
            return Err(Failure(format!("a value that was brought from elsewhere was opened: {read:?}")));
        };
        let kind = error.kind();
        ensure!(
            kind == ErrorKind::Decode,
            "a value that was brought from elsewhere is an error of kind {kind:?}"
        );
        are_sealed(&events[..1])?;
        reads_as("the event behind it", &events[1..], &[Named { name: None }])?;
    }
    Ok(())
}

pub(super) async fn stores_and_reads_nothing_without_keys(trial: &Trial<'_>) -> Outcome {
    let mirror = Mirror::new();
    let (store, stream) = (sealed_store(trial, &mirror).await?, trial.stream());
    let append = |named| Ok::<_, Failure>(Append::to(stream.clone(), Expected::Any, [new(trial, &named)?]));
    let appended = trial.append(&*store, append(named("s-1"))?).await?;
    mirror.set_away(true);
    let what = "an append for which no key is to be had";
    let error = trial.refused(&*store, append(named("s-1"))?, ErrorKind::Store, what).await?;
    ensure!(error.is_retryable(), "{what} is refused for good: {error:?}");
    let by_stream = store.read_stream(&stream, ReadStream::forward()).await.map(drop);
    let by_position = trial.read_to(&*store, &trial.filter(), 10, &appended.position).await.map(drop);
    ensure!(
        by_stream.is_err() && by_position.is_err(),
        "without keys, events are read: {by_stream:?} {by_position:?}"
    );
    let retryable = by_stream.is_err_and(|error| error.is_retryable());
    ensure!(retryable, "a read for which no key is to be had is refused for good");
    // What has no personal data needs no key.
    trial.append(&*store, append(Named { name: None })?).await?;
    mirror.set_away(false);
    reads_as(
        "a read with keys",
        &trial.stored(&*store, &stream).await?,
        &[named("s-1"), Named { name: None }],
    )
}

pub(super) async fn keeps_snapshots_sealed(trial: &Trial<'_>) -> Outcome {
    let mirror = Mirror::new();
    let (store, plain) = (sealed_store(trial, &mirror).await?, trial.store().await?);
    let persons = Repository::<Person>::new(store).with_snapshots_of(SnapshotPolicy::every(1), "a name")?;
    let (kept, gone) = (trial.id(), trial.id());
    for (id, subject) in [(&kept, "s-\"1\""), (&gone, "s-\"2\"")] {
        let handled = trial.as_owner(async || match persons.handle(&**id, named(subject)).await {
            Err(jitney_sourcing::HandleError::Store(error)) => Err(error),
            _ => Ok(()),
        });
        handled.await?;
        let stream = StreamId::new(AGGREGATE, &**id);
        let snapshot = snapshots::of(&*plain)?.load_snapshot(&stream).await?;
        let snapshot = snapshot.ok_or_else(|| Failure(format!("stream {stream} has no snapshot")))?;
        let state = String::from_utf8_lossy(&snapshot.state).into_owned();
        ensure!(
            state.contains("$sealed") && !state.contains(NAME) && snapshot.is_intact(),
            "a state with personal data is kept as {state}"
        );
        let opened = mirror.opened();
        let person = persons.load(&**id).await?;
        let last = person.last.clone();
        ensure!(last == named(subject).name, "a person is loaded from a snapshot as {last:?}");
        // The snapshot, and the event that it was made behind.
        let opened = mirror.opened() - opened;
        ensure!(opened == 2, "a load behind a snapshot has opened {opened} payloads, and not 2");
    }
    mirror.forget("s-\"2\"");
    let forgotten = snapshots::of(&*plain)?.delete_snapshots_of("s-\"2\"").await?;
    ensure!(forgotten == 1, "of one snapshot with data of the subject, {forgotten} were forgotten");
    for (id, is_there) in [(&kept, true), (&gone, false)] {
        let snapshot = snapshots::of(&*plain)?.load_snapshot(&StreamId::new(AGGREGATE, &**id)).await?;
        ensure!(snapshot.is_some() == is_there, "whether its snapshot is there: {}", snapshot.is_some());
    }
    let last = persons.load(&*gone).await?.last.clone();
    let is_erased = last.as_ref().is_some_and(|last| last.text.is_none());
    ensure!(is_erased, "the name of somebody who is forgotten is loaded as {last:?}");
    Ok(())
}
