//! Events of old versions are read as the new type, and what cannot be read is named.

use jitney_core::DomainEvent;
use jitney_core::event::{DecodeError, DecodeErrorKind, EventType, StoredPayload, Version};
use jitney_sourcing::{Append, ErrorKind, Expected, NewEvent, StoredEvent};
use serde::{Deserialize, Serialize};

use super::trial::Trial;
use crate::conformance::failure::{Failure, Outcome, ensure};

/// Version 2: version 1 had one field for both names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Named {
    first: String,
    last: String,
}

#[derive(Deserialize)]
struct NamedV1 {
    name: String,
}

impl DomainEvent for Named {
    const TYPES: &'static [EventType] =
        &[EventType::new("Named", "ConformancePerson", Version::new(2, 0), "ConformancePerson-events")];

    fn event_type(&self) -> &'static EventType {
        &Self::TYPES[0]
    }

    fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> {
        match (payload.event_type(), payload.version().major) {
            ("Named", 2) => payload.read(),
            ("Named", 1) => {
                let NamedV1 { name } = payload.read()?;
                let (first, last) = name.split_once(' ').unwrap_or((&name, ""));
                Ok(Named { first: first.to_owned(), last: last.to_owned() })
            }
            _ => Err(payload.unknown()),
        }
    }
}

fn written(trial: &Trial<'_>, version: Version, payload: &'static str) -> Outcome<NewEvent> {
    let named = Named { first: String::new(), last: String::new() };
    let mut event = NewEvent::new(trial.env.new_id(), trial.env.now(), &named)?;
    (event.version, event.payload) = (version, payload.into());
    Ok(event)
}

pub(super) async fn reads_old_versions(trial: &Trial<'_>) -> Outcome {
    let (store, stream) = (trial.store().await?, trial.stream());
    let events = [
        written(trial, Version::new(1, 0), "{\"name\":\"Ada Lovelace\"}")?,
        written(trial, Version::new(2, 0), "{\"first\":\"Ada\",\"last\":\"King\"}")?,
        written(trial, Version::new(1, 3), "{\"name\":\"Ada Byron\",\"added\":\"later\"}")?,
    ];
    let appended = trial.append(&*store, Append::to(stream.clone(), Expected::New, events)).await?;
    let by_stream = trial.stored(&*store, &stream).await?;
    let by_position = trial.read_to(&*store, &trial.filter(), 10, &appended.position).await?;
    for stored in [by_stream, by_position] {
        let names: Result<Vec<Named>, _> = stored.iter().map(StoredEvent::decode).collect();
        let names =
            names.map_err(|error| Failure(format!("events of old versions are not read: {error:?}")))?;
        let last: Vec<_> = names.iter().map(|named| &*named.last).collect();
        ensure!(
            last == ["Lovelace", "King", "Byron"],
            "events of versions 1, 2 and 1 were read as {names:?}"
        );
    }
    Ok(())
}

pub(super) async fn names_what_it_cannot_read(trial: &Trial<'_>) -> Outcome {
    let (store, stream) = (trial.store().await?, trial.stream());
    let good = || written(trial, Version::new(2, 0), "{\"first\":\"Ada\",\"last\":\"King\"}");
    let events = [
        good()?,
        written(trial, Version::new(9, 1), "{\"name\":[\"Ada\"]}")?,
        written(trial, Version::new(2, 0), "{\"first\":17}")?,
        good()?,
    ];
    let payload = events[1].payload.clone();
    trial.append(&*store, Append::to(stream.clone(), Expected::New, events)).await?;
    let stored = trial.stored(&*store, &stream).await?;
    ensure!(stored.len() == 4, "4 events were appended, and {} are read", stored.len());
    let same = stored[1].payload_json() == &payload;
    ensure!(same, "an event of an unknown version came back as {:?}", stored[1].payload_json());
    for (event, version, kind) in
        [(&stored[1], "9.1", DecodeErrorKind::UnknownVersion), (&stored[2], "2.0", DecodeErrorKind::Payload)]
    {
        let Err(error) = event.decode::<Named>() else {
            return Err(Failure(format!("event {} was read, and cannot be", event.sequence())));
        };
        ensure!(
            error.kind() == ErrorKind::Decode,
            "what cannot be read is an error of kind {:?}",
            error.kind()
        );
        let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<DecodeError>());
        let cause = cause.map(DecodeError::kind);
        ensure!(cause == Some(kind), "what cannot be read is {cause:?} and not {kind:?}: {error:?}");
        let text = error.to_string();
        let parts = [format!("event {} ", event.sequence()), stream.to_string(), "`Named`".to_owned()];
        let missing = parts.iter().map(String::as_str).chain([version]).find(|part| !text.contains(part));
        ensure!(missing.is_none(), "the error does not name {missing:?}: {text}");
    }
    for event in [&stored[0], &stored[3]] {
        event.decode::<Named>()?;
    }
    Ok(())
}
