//! Appends to several streams at once.

use jitney_sourcing::{
    Append, ErrorKind, EventStore, Expected, Position, StreamAppended, StreamId, StreamsPerAppend,
};

use super::expectations;
use super::trial::Trial;
use crate::conformance::failure::{Failure, Outcome, ensure};

/// So many streams are tried as partners of one, where only some can be in one append with it.
const TRIES: usize = 300;

/// Two streams that can be in one append, each with one event.
async fn pair(trial: &Trial<'_>, store: &dyn EventStore) -> Outcome<(StreamId, StreamId)> {
    let stream = trial.stream();
    for _ in 0..TRIES {
        let other = trial.stream();
        let append = trial.append_of(&stream, Expected::New, 1);
        let append = append.and_to(other.clone(), Expected::New, trial.events(1));
        match trial.try_append(store, append).await? {
            Ok(_) => return Ok((stream, other)),
            Err(error)
                if error.kind() == ErrorKind::Unsupported
                    && trial.capabilities.streams_per_append == StreamsPerAppend::SamePart => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure(format!("of {TRIES} streams, none can be in one append with stream {stream}")))
}

pub(super) async fn appends_to_several_streams(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (a, b) = pair(trial, &*store).await?;
    let before = [trial.stored(&*store, &a).await?.len(), trial.stored(&*store, &b).await?.len()];
    ensure!(before == [1, 1], "an append of one event for each of two streams stored {before:?}");
    let (for_b, for_a) = (trial.events(2), trial.events(3));
    let append = Append::to(b.clone(), Expected::Exact(1), for_b.clone());
    let appended = trial.append(&*store, append.and_to(a.clone(), Expected::Exists, for_a.clone())).await?;
    let parts = [StreamAppended::behind(1, 2), StreamAppended::behind(1, 3)];
    ensure!(appended.streams == parts, "events went to {parts:?}, and the answer is {:?}", appended.streams);
    for (stream, events) in [(&a, &for_a), (&b, &for_b)] {
        let stored = trial.stored(&*store, stream).await?;
        ensure!(stored.len() == events.len() + 1, "stream {stream} has {} events", stored.len());
        for (sequence, (stored, event)) in (2..).zip(stored[1..].iter().zip(events)) {
            expectations::is_as_appended(stored, event, stream, sequence)?;
        }
    }
    let read = trial.read_to(&*store, &trial.filter(), 2, &appended.position).await?;
    expectations::complete_and_in_order(&read, &[(a, 4), (b, 3)])?;
    if trial.capabilities.streams_per_append == StreamsPerAppend::Any {
        let (stream, other) = (trial.stream(), trial.other_stream());
        let append = trial.append_of(&stream, Expected::New, 1);
        trial.append(&*store, append.and_to(other, Expected::New, trial.events(1))).await?;
    }
    Ok(())
}

pub(super) async fn stores_all_streams_or_none(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (a, b) = pair(trial, &*store).await?;
    let known = trial.stored(&*store, &b).await?;
    let mut duplicate = trial.events(2);
    duplicate[1].event_id = known[0].head().event_id.clone();
    let refused = [
        ("the second is elsewhere", Expected::Exact(1), Expected::Exact(5), ErrorKind::Conflict),
        ("the first is elsewhere", Expected::New, Expected::Exact(1), ErrorKind::Conflict),
    ];
    for (what, for_a, for_b, kind) in refused {
        let append = trial.append_of(&a, for_a, 2).and_to(b.clone(), for_b, trial.events(2));
        trial.refused(&*store, append, kind, &format!("an append to two streams of which {what}")).await?;
        both_have_one(trial, &*store, [&a, &b], what).await?;
    }
    let what = "the second has one of the events";
    let append = trial.append_of(&a, Expected::Any, 2).and_to(b.clone(), Expected::Any, duplicate);
    trial.refused(&*store, append, ErrorKind::Duplicate, what).await?;
    both_have_one(trial, &*store, [&a, &b], what).await?;
    let what = "the second is archived";
    trial.as_owner(|| store.archive(&b)).await?;
    let append = trial.append_of(&a, Expected::Any, 2).and_to(b.clone(), Expected::Any, trial.events(1));
    trial.refused(&*store, append, ErrorKind::Archived, what).await?;
    both_have_one(trial, &*store, [&a, &b], what).await?;
    // And no part of what was refused is given to readers of all events.
    trial.as_owner(|| store.restore(&b)).await?;
    let end = trial.wait("the end", store.end()).await??;
    let read = trial.read_to(&*store, &trial.filter(), 100, &end).await?;
    expectations::complete_and_in_order(&read, &[(a, 1), (b, 1)])
}

async fn both_have_one(
    trial: &Trial<'_>,
    store: &dyn EventStore,
    streams: [&StreamId; 2],
    what: &str,
) -> Outcome {
    for stream in streams {
        let count = trial.stored(store, stream).await?.len();
        ensure!(
            count == 1,
            "an append to two streams was refused, since {what}, and stream {stream} has {count} events \
             instead of 1"
        );
    }
    Ok(())
}

pub(super) async fn refuses_streams_that_do_not_go_together(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let start = trial.wait("the end", store.end()).await??;
    let tries = match trial.capabilities.streams_per_append {
        StreamsPerAppend::One => 1,
        _ => TRIES,
    };
    let mut refused = None;
    for _ in 0..tries {
        let (a, b) = (trial.stream(), trial.stream());
        let append = trial.append_of(&a, Expected::New, 1).and_to(b.clone(), Expected::New, trial.events(1));
        if let Err(error) = trial.try_append(&*store, append).await? {
            let kind = error.kind();
            ensure!(
                kind == ErrorKind::Unsupported,
                "streams that cannot be in one append were refused as {kind:?}: {error:?}"
            );
            refused = Some([a, b]);
            break;
        }
    }
    let Some(streams) = refused else {
        return Err(Failure(format!("{tries} appends to two streams were all taken")));
    };
    for stream in &streams {
        let count = trial.stored(&*store, stream).await?.len();
        ensure!(count == 0, "an append was refused, and stored {count} events of stream {stream}");
    }
    let end: Position = trial.wait("the end", store.end()).await??;
    let read = trial.read_between(&*store, &start, &trial.filter(), 100, &end).await?;
    let stray = read.iter().find(|event| streams.contains(&event.stream()));
    ensure!(stray.is_none(), "an append was refused, and a reader of all events got {stray:?}");
    Ok(())
}
