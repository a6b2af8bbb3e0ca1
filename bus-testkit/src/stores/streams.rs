//! Streams are known, listed, archived and ended.

use jitney_sourcing::{
    Append, ErrorKind, EventStore, Expected, ListStreams, NewEvent, StreamId, StreamInfo, StreamState,
};

use super::expectations;
use super::trial::Trial;
use crate::conformance::failure::{Failure, Outcome, ensure};

/// A stream of three events.
async fn three_events(trial: &Trial<'_>, store: &dyn EventStore) -> Outcome<(StreamId, Vec<NewEvent>)> {
    let (stream, events) = (trial.stream(), trial.events(3));
    trial.append(store, Append::to(stream.clone(), Expected::New, events.clone())).await?;
    Ok((stream, events))
}

/// What the store knows of a stream with events.
async fn info(trial: &Trial<'_>, store: &dyn EventStore, stream: &StreamId) -> Outcome<StreamInfo> {
    let info = trial.wait("what is known of a stream", store.stream_info(stream)).await??;
    info.ok_or_else(|| Failure(format!("stream {stream} has events, and the store knows nothing of it")))
}

async fn is_in_state(
    trial: &Trial<'_>,
    store: &dyn EventStore,
    stream: &StreamId,
    state: StreamState,
) -> Outcome {
    for store in [store, &*trial.store().await?] {
        let known = info(trial, store, stream).await?;
        ensure!(known.state == state, "stream {stream} is {state:?}, and the store says {:?}", known.state);
    }
    Ok(())
}

/// Something that must be refused with an error of `kind`.
fn refused<T: std::fmt::Debug>(
    answer: Result<T, jitney_sourcing::Error>,
    kind: ErrorKind,
    what: &str,
) -> Outcome {
    match answer {
        Ok(answer) => Err(Failure(format!("{what} was done: {answer:?}"))),
        Err(error) => {
            let actual = error.kind();
            ensure!(actual == kind, "{what} was refused as {actual:?} and not as {kind:?}: {error:?}");
            Ok(())
        }
    }
}

pub(super) async fn tells_about_streams(trial: &Trial<'_>) -> Outcome {
    let (store, other) = (trial.store().await?, trial.store().await?);
    let stream = trial.stream();
    for last in [2, 4, 6] {
        let mut events = trial.events(2);
        events[1].time = jiff::Timestamp::from_millisecond(1_700_000_000_000 - last).unwrap_or_default();
        let time = events[1].time;
        trial.append(&*store, Append::to(stream.clone(), Expected::Any, events)).await?;
        let known = info(trial, &*other, &stream).await?;
        let expected = StreamInfo::new(stream.clone(), last as u64, time);
        ensure!(known == expected, "the store knows of a stream {known:?}, which is {expected:?}");
    }
    Ok(())
}

/// Ids whose order by bytes is not that of any language.
const UNSORTED: [&str; 14] =
    ["b", "a", "B", "\u{e4}", "a b", "Z", "a/", "aa", "a\u{308}", "10", "9", "\u{1f4a5}", "\u{ffff}", "A"];

pub(super) async fn lists_streams_by_their_bytes(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let [aggregate_type, _] = &trial.types;
    for id in UNSORTED {
        let stream = StreamId::new(aggregate_type.clone(), id);
        trial.append_some(&*store, &stream, 1 + trial.random(2)).await?;
    }
    trial.append_some(&*store, &trial.other_stream(), 1).await?;
    let mut sorted = UNSORTED;
    sorted.sort_unstable();
    for limit in [100, 14, 5, 1] {
        let (mut ids, mut list) = (Vec::new(), ListStreams::of(aggregate_type.clone()).limit(limit));
        loop {
            let page = trial.wait("a list of streams", store.list_streams(&list)).await??;
            ensure!(page.len() <= limit, "a list of at most {limit} streams has {}", page.len());
            let Some(last) = page.last() else { break };
            list = list.after(last.stream.aggregate_id());
            for listed in page {
                let known = info(trial, &*store, &listed.stream).await?;
                ensure!(listed == known, "a stream is listed as {listed:?}, and is {known:?}");
                ids.push(listed.stream.aggregate_id().to_owned());
            }
            ensure!(ids.len() <= sorted.len(), "{} streams were listed of {}", ids.len(), sorted.len());
        }
        ensure!(ids == sorted, "in pages of {limit}, the streams {ids:?} were listed, and are {sorted:?}");
    }
    Ok(())
}

pub(super) async fn lists_streams_by_state(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let [aggregate_type, _] = &trial.types;
    let streams: Vec<_> = (1..=6).map(|id| StreamId::new(aggregate_type.clone(), id.to_string())).collect();
    for stream in &streams {
        trial.append_some(&*store, stream, 1).await?;
    }
    trial.as_owner(|| store.archive(&streams[1])).await?;
    trial.as_owner(|| store.archive(&streams[4])).await?;
    trial.as_owner(|| store.end_stream(&streams[2], Expected::Any)).await?;
    let list = ListStreams::of(aggregate_type.clone());
    for (list, ids) in [
        (list.clone(), "1 2 3 4 5 6"),
        (list.clone().in_state(StreamState::Open), "1 4 6"),
        (list.clone().in_state(StreamState::Archived), "2 5"),
        (list.clone().in_state(StreamState::Ended), "3"),
        (list.clone().in_state(StreamState::Open).limit(2), "1 4"),
        (list.in_state(StreamState::Open).after("1").limit(1), "4"),
    ] {
        let listed = trial.wait("a list of streams", store.list_streams(&list)).await??;
        let listed: Vec<_> = listed.iter().map(|info| info.stream.aggregate_id()).collect();
        ensure!(listed.join(" ") == ids, "{list:?} gave {listed:?} and not {ids}");
    }
    Ok(())
}

pub(super) async fn archived_streams_take_nothing(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (stream, mut events) = three_events(trial, &*store).await?;
    trial.as_owner(|| store.archive(&stream)).await?;
    trial.as_owner(|| store.archive(&stream)).await?;
    is_in_state(trial, &*store, &stream, StreamState::Archived).await?;
    takes_nothing(trial, &*store, (&stream, &events), ErrorKind::Archived).await?;
    trial.as_owner(|| store.restore(&stream)).await?;
    trial.as_owner(|| store.restore(&stream)).await?;
    is_in_state(trial, &*store, &stream, StreamState::Open).await?;
    let more = trial.events(1);
    trial.append(&*store, Append::to(stream.clone(), Expected::Exact(3), more.clone())).await?;
    events.extend(more);
    expectations::holds(&stream, &trial.stored(&*store, &stream).await?, &events)
}

/// A stream of three events refuses new ones with an error of `kind`, knows those that it has, and can be read, all of that
/// through another handle, or `first` where that is the one that writes.
async fn takes_nothing(
    trial: &Trial<'_>,
    first: &dyn EventStore,
    (stream, events): (&StreamId, &[NewEvent]),
    kind: ErrorKind,
) -> Outcome {
    let store = trial.store().await?;
    let handles = [&*store, first];
    for expected in [Expected::Any, Expected::Exists, Expected::Exact(3)] {
        let append = trial.append_of(stream, expected, 1);
        let what = format!("an append to a stream that is closed, expecting {expected},");
        trial.refused_by(handles, append, kind, &what).await?;
    }
    let again = Append::to(stream.clone(), Expected::Exact(2), [events[2].clone()]);
    trial.refused_by(handles, again, ErrorKind::Duplicate, "a known event of a closed stream").await?;
    expectations::holds(stream, &trial.stored(&*store, stream).await?, events)?;
    let found = trial.wait("an event by its id", store.find_event(stream, &events[1].event_id)).await??;
    ensure!(found.is_some(), "an event of a stream that is closed is not found by its id");
    Ok(())
}

pub(super) async fn archives_what_can_be_archived(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let missing = trial.stream();
    refused(
        trial.as_owner(|| store.archive(&missing)).await,
        ErrorKind::Conflict,
        "archiving a stream without events",
    )?;
    refused(
        trial.as_owner(|| store.restore(&missing)).await,
        ErrorKind::Conflict,
        "restoring a stream without events",
    )?;
    let (ended, _) = three_events(trial, &*store).await?;
    trial.as_owner(|| store.end_stream(&ended, Expected::Any)).await?;
    refused(
        trial.as_owner(|| store.archive(&ended)).await,
        ErrorKind::Ended,
        "archiving a stream that was ended",
    )?;
    refused(
        trial.as_owner(|| store.restore(&ended)).await,
        ErrorKind::Ended,
        "restoring a stream that was ended",
    )?;
    let (open, _) = three_events(trial, &*store).await?;
    trial.as_owner(|| store.restore(&open)).await?;
    is_in_state(trial, &*store, &open, StreamState::Open).await?;
    is_in_state(trial, &*store, &ended, StreamState::Ended).await
}

pub(super) async fn global_reads_pass_over_archived_streams(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (archived, other) = (trial.stream(), trial.other_stream());
    for count in [1, 2, 1] {
        trial.append_some(&*store, &archived, count).await?;
        trial.append_some(&*store, &other, count).await?;
    }
    trial.as_owner(|| store.archive(&archived)).await?;
    let end = trial.wait("the end", store.end()).await??;
    let (plain, all) = (trial.filter().without_archived(), trial.filter());
    let both = [(archived.clone(), 4), (other.clone(), 4)];
    for store in [&*store, &*trial.store().await?] {
        let read = trial.read_to(store, &plain, 2, &end).await?;
        let stray = read.iter().find(|event| event.stream() == archived).map(|event| event.sequence());
        ensure!(stray.is_none(), "event {stray:?} of an archived stream was read by a filter without such");
        expectations::complete_and_in_order(&read, &both[1..])?;
        expectations::complete_and_in_order(&trial.read_to(store, &all, 2, &end).await?, &both)?;
    }
    trial.as_owner(|| store.restore(&archived)).await?;
    let end = trial.wait("the end", store.end()).await??;
    expectations::complete_and_in_order(&trial.read_to(&*store, &plain, 3, &end).await?, &both)
}

pub(super) async fn ended_streams_take_nothing(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (stream, events) = three_events(trial, &*store).await?;
    trial.as_owner(|| store.end_stream(&stream, Expected::Exact(3))).await?;
    is_in_state(trial, &*store, &stream, StreamState::Ended).await?;
    takes_nothing(trial, &*store, (&stream, &events), ErrorKind::Ended).await?;
    let last = info(trial, &*store, &stream).await?.last_sequence;
    ensure!(last == 3, "a stream of 3 events was ended, and its last event is said to be {last}");
    let end = trial.wait("the end", store.end()).await??;
    let read = trial.read_to(&*store, &trial.filter(), 2, &end).await?;
    expectations::complete_and_in_order(&read, &[(stream, 3)])
}

pub(super) async fn ends_streams_where_expected(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let missing = trial.stream();
    for expected in [Expected::Any, Expected::New, Expected::Exists, Expected::Exact(0)] {
        let ended = trial.as_owner(|| store.end_stream(&missing, expected)).await;
        refused(
            ended,
            ErrorKind::Conflict,
            &format!("ending a stream without events, expecting {expected},"),
        )?;
    }
    let (stream, _) = three_events(trial, &*store).await?;
    for expected in [Expected::New, Expected::Exact(2), Expected::Exact(4)] {
        let ended = trial.as_owner(|| store.end_stream(&stream, expected)).await;
        refused(ended, ErrorKind::Conflict, &format!("ending a stream of 3 events, expecting {expected},"))?;
    }
    is_in_state(trial, &*store, &stream, StreamState::Open).await?;
    trial.as_owner(|| store.archive(&stream)).await?;
    let ended = trial.as_owner(|| store.end_stream(&stream, Expected::Any)).await;
    refused(ended, ErrorKind::Archived, "ending a stream that is archived")?;
    trial.as_owner(|| store.restore(&stream)).await?;
    trial.append_some(&*store, &stream, 1).await?;
    trial.as_owner(|| store.end_stream(&stream, Expected::Exists)).await?;
    // Again, wherever it is thought to be.
    for expected in [Expected::Any, Expected::Exact(4), Expected::Exact(1), Expected::New] {
        trial.as_owner(|| store.end_stream(&stream, expected)).await?;
    }
    is_in_state(trial, &*store, &stream, StreamState::Ended).await
}
