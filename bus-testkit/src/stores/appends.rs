//! What is appended is numbered, expected, and stored whole.

use jitney_sourcing::{Append, ErrorKind, Expected, NewEvent, StreamId};

use super::expectations;
use super::trial::Trial;
use crate::conformance::failure::{Failure, Outcome, ensure};

pub(super) async fn numbers_events_from_1(trial: &Trial<'_>) -> Outcome {
    let (store, stream) = (trial.store().await?, trial.stream());
    let mut events = Vec::new();
    for count in [1, 3, 1, 20] {
        let some = trial.events(count);
        trial.append(&*store, Append::to(stream.clone(), Expected::Any, some.clone())).await?;
        events.extend(some);
        expectations::holds(&stream, &trial.stored(&*store, &stream).await?, &events)?;
    }
    let other = trial.store().await?;
    expectations::holds(&stream, &trial.stored(&*other, &stream).await?, &events)
}

pub(super) async fn answers_where_events_went(trial: &Trial<'_>) -> Outcome {
    let (store, stream) = (trial.store().await?, trial.stream());
    let mut last = 0;
    for count in [1, 4, 2] {
        let appended = trial.append_some(&*store, &stream, count).await?;
        let (first_is, last_is) = (last + 1, last + count as u64);
        let [part] = &*appended.streams else {
            return Err(Failure(format!("an append to one stream was answered with {:?}", appended.streams)));
        };
        let answer = (part.first_sequence, part.last_sequence);
        ensure!(answer == (first_is, last_is), "events {first_is} to {last_is} were answered as {answer:?}");
        last = last_is;
        let read = trial.read_to(&*store, &trial.filter(), 1, &appended.position).await?;
        let read = read.len() as u64;
        ensure!(read == last, "a reader at the position of an append has seen {read} of {last} events");
    }
    Ok(())
}

/// Appends what must be a conflict, and what must not be one afterwards.
async fn conflicts(trial: &Trial<'_>, stream: &StreamId, expected: Expected, at: &str) -> Outcome {
    let store = trial.store().await?;
    let before = trial.stored(&*store, stream).await?.len();
    let append = trial.append_of(stream, expected, 2);
    let what = format!("an append that expected {expected} {at}");
    trial.refused(&*store, append, ErrorKind::Conflict, &what).await?;
    let now = trial.stored(&*store, stream).await?.len();
    ensure!(now == before, "{what} was refused, and the stream has {now} events instead of {before}");
    Ok(())
}

async fn is_taken(trial: &Trial<'_>, stream: &StreamId, expected: Expected, at: &str) -> Outcome {
    let store = trial.store().await?;
    let before = trial.stored(&*store, stream).await?.len();
    let answer = trial.try_append(&*store, trial.append_of(stream, expected, 2)).await?;
    answer.map_err(|error| {
        Failure(format!("an append that expected {expected} {at} was refused: {error:?}"))
    })?;
    let now = trial.stored(&*store, stream).await?.len();
    ensure!(now == before + 2, "two events were appended to {before}, and the stream has {now}");
    Ok(())
}

pub(super) async fn takes_new_streams_alone(trial: &Trial<'_>) -> Outcome {
    let stream = trial.stream();
    is_taken(trial, &stream, Expected::New, "without events").await?;
    conflicts(trial, &stream, Expected::New, "at event 2").await
}

pub(super) async fn takes_exact_sequences_alone(trial: &Trial<'_>) -> Outcome {
    let stream = trial.stream();
    conflicts(trial, &stream, Expected::Exact(1), "without events").await?;
    is_taken(trial, &stream, Expected::Exact(0), "without events").await?;
    for other in [0, 1, 3, u64::MAX] {
        conflicts(trial, &stream, Expected::Exact(other), "at event 2").await?;
    }
    is_taken(trial, &stream, Expected::Exact(2), "at event 2").await?;
    conflicts(trial, &stream, Expected::Exact(2), "at event 4").await?;
    is_taken(trial, &stream, Expected::Exact(4), "at event 4").await
}

pub(super) async fn takes_existing_streams_alone(trial: &Trial<'_>) -> Outcome {
    let stream = trial.stream();
    conflicts(trial, &stream, Expected::Exists, "without events").await?;
    is_taken(trial, &stream, Expected::New, "without events").await?;
    is_taken(trial, &stream, Expected::Exists, "at event 2").await
}

pub(super) async fn takes_any_stream(trial: &Trial<'_>) -> Outcome {
    let stream = trial.stream();
    is_taken(trial, &stream, Expected::Any, "without events").await?;
    is_taken(trial, &stream, Expected::Any, "at event 2").await
}

pub(super) async fn conflicts_name_both_sequences(trial: &Trial<'_>) -> Outcome {
    let (store, stream) = (trial.store().await?, trial.stream());
    for (expected, actual) in [(Expected::Exact(5), 0), (Expected::New, 3), (Expected::Exact(2), 3)] {
        if actual > 0 && trial.stored(&*store, &stream).await?.is_empty() {
            trial.append_some(&*store, &stream, 3).await?;
        }
        let append = trial.append_of(&stream, expected, 1);
        let error = trial.refused(&*store, append, ErrorKind::Conflict, "a conflicting append").await?;
        let Some(conflict) = error.conflict() else {
            return Err(Failure(format!("a conflict does not say where the stream is: {error:?}")));
        };
        ensure!(
            conflict.stream == stream && conflict.expected == expected && conflict.actual == actual,
            "stream {stream} is at {actual} and was expected as {expected:?}; the conflict says {conflict:?}"
        );
        ensure!(error.is_retryable(), "a conflict says that trying again is of no use");
    }
    Ok(())
}

pub(super) async fn recognizes_duplicates(trial: &Trial<'_>) -> Outcome {
    let (store, stream) = (trial.store().await?, trial.stream());
    let events = trial.events(3);
    trial.append(&*store, Append::to(stream.clone(), Expected::New, events.clone())).await?;
    // The second of three again: where the stream is as expected, and where it is not.
    let expectations =
        [Expected::Exact(3), Expected::Any, Expected::Exists, Expected::New, Expected::Exact(0)];
    for expected in expectations {
        let append = Append::to(stream.clone(), expected, [events[1].clone()]);
        let what = format!("event 2 of a stream at 3 again, expecting {expected},");
        let error = trial.refused(&*store, append, ErrorKind::Duplicate, &what).await?;
        let Some(duplicate) = error.duplicate() else {
            return Err(Failure(format!("a duplicate does not say where the event is: {error:?}")));
        };
        let (id, at) = (&duplicate.event_id, duplicate.sequence);
        ensure!(
            duplicate.stream == stream && *id == events[1].event_id && at == 2,
            "event 2 of stream {stream} was appended again, and the error says {duplicate:?}"
        );
    }
    // The whole append again, as after an answer that did not come.
    let again = Append::to(stream.clone(), Expected::New, events.clone());
    trial.refused(&*store, again, ErrorKind::Duplicate, "the same append again").await?;
    expectations::holds(&stream, &trial.stored(&*store, &stream).await?, &events)
}

pub(super) async fn knows_ids_by_stream(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let events = trial.events(2);
    for stream in [trial.stream(), trial.stream(), trial.other_stream()] {
        trial.append(&*store, Append::to(stream.clone(), Expected::New, events.clone())).await?;
        expectations::holds(&stream, &trial.stored(&*store, &stream).await?, &events)?;
    }
    Ok(())
}

pub(super) async fn stores_all_events_or_none(trial: &Trial<'_>) -> Outcome {
    let (store, stream) = (trial.store().await?, trial.stream());
    let events = trial.events(2);
    trial.append(&*store, Append::to(stream.clone(), Expected::New, events.clone())).await?;
    let mut batch = trial.events(5);
    batch[3] = events[0].clone();
    let append = Append::to(stream.clone(), Expected::Any, batch);
    trial.refused(&*store, append, ErrorKind::Duplicate, "five events of which the fourth is known").await?;
    expectations::holds(&stream, &trial.stored(&*store, &stream).await?, &events)?;
    // What was refused can be appended once the duplicate is left out, right behind the others.
    let more = trial.events(1);
    trial.append(&*store, Append::to(stream.clone(), Expected::Exact(2), more.clone())).await?;
    expectations::holds(&stream, &trial.stored(&*store, &stream).await?, &[events, more].concat())
}

pub(super) async fn refuses_what_makes_no_sense(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let [aggregate_type, _] = &trial.types;
    let named = |id: &str| StreamId::new(aggregate_type.clone(), id);
    let some = |stream: StreamId| Append::to(stream, Expected::Any, trial.events(1));
    let good = trial.stream();
    let event = trial.events(1);
    let twice: Vec<NewEvent> = [event.clone(), event].concat();
    let senseless = [
        ("an append without events", Append::to(good.clone(), Expected::Any, [])),
        ("an append to an aggregate without id", some(named(""))),
        ("an append to an aggregate without type", some(StreamId::new("", "1"))),
        ("an append to an id with a NUL character", some(named("a\0b"))),
        ("an append to a type with a NUL character", some(StreamId::new("a\0b", "1"))),
        ("an append to an id of 513 bytes", some(named(&"i".repeat(513)))),
        ("an append to a type of 513 bytes", some(StreamId::new("t".repeat(513), "1"))),
        ("an append with the same event twice", Append::to(good.clone(), Expected::Any, twice)),
        (
            "an append that names a stream twice",
            some(good.clone()).and_to(good.clone(), Expected::Any, trial.events(1)),
        ),
    ];
    for (what, append) in senseless {
        trial.refused(&*store, append, ErrorKind::Invalid, what).await?;
    }
    let stored = trial.stored(&*store, &good).await?.len();
    ensure!(stored == 0, "appends that make no sense were refused, and stored {stored} events");
    Ok(())
}
