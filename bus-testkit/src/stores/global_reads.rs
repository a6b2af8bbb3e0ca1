//! Reads of all events, in the order of the store.

use std::time::Duration;

use jitney_sourcing::{Append, ErrorKind, EventStore, Expected, Filter, Position, StoredEvent, StreamId};

use super::trial::Trial;
use super::{content, expectations};
use crate::conformance::failure::{Failure, Outcome, ensure};

/// Events of several streams of both types, in turn, and the position of the last append.
async fn mixed(trial: &Trial<'_>, store: &dyn EventStore) -> Outcome<(Vec<(StreamId, usize)>, Position)> {
    let mut streams = vec![(trial.stream(), 0), (trial.other_stream(), 0), (trial.stream(), 0)];
    let mut last = Position::START;
    for count in [1, 2, 1, 3] {
        for (stream, total) in &mut streams {
            last = trial.append_some(store, stream, count).await?.position;
            *total += count;
        }
    }
    Ok((streams, last))
}

pub(super) async fn reads_everything_once(trial: &Trial<'_>) -> Outcome {
    let (store, other) = (trial.store().await?, trial.store().await?);
    let (streams, end) = mixed(trial, &*store).await?;
    for limit in [1_000, 7, 2] {
        let read = trial.read_to(&*other, &trial.filter(), limit, &end).await?;
        expectations::complete_and_in_order(&read, &streams)?;
    }
    Ok(())
}

pub(super) async fn reads_on_behind_each_event(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (_, end) = mixed(trial, &*store).await?;
    let filter = trial.filter();
    let all = trial.read_to(&*store, &filter, 1_000, &end).await?;
    for (number, event) in all.iter().enumerate() {
        let behind = trial.read_between(&*store, event.position(), &filter, 1_000, &end).await?;
        let (came, expected) = (ids(&behind), ids(&all[number + 1..]));
        ensure!(
            came == expected,
            "behind event {} of {}, at {}, {} events are read where there are {}",
            number + 1,
            all.len(),
            event.position(),
            came.len(),
            expected.len()
        );
    }
    let inversion = all.windows(2).find(|pair| !pair[1].position().has_reached(pair[0].position()));
    if let Some([before, behind]) = inversion {
        let (before, behind) = (before.position(), behind.position());
        ensure!(false, "the event at {behind} was read behind the one at {before}");
    }
    Ok(())
}

pub(super) async fn reads_on_behind_each_page(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (streams, end) = mixed(trial, &*store).await?;
    let read = trial.read_to(&*store, &trial.filter(), 1, &end).await?;
    expectations::complete_and_in_order(&read, &streams)
}

fn ids(events: &[StoredEvent]) -> Vec<String> {
    events.iter().map(|event| format!("{} {}", event.stream(), event.sequence())).collect()
}

pub(super) async fn filters_by_types(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let [a, b] = &trial.types;
    let mut end = Position::START;
    for stream in [trial.stream(), trial.other_stream()] {
        for event_type in ["Opened", "Closed", "Opened", "opened"] {
            let event = content::event_of_type(&trial.env, event_type);
            end = trial.append(&*store, Append::to(stream.clone(), Expected::Any, [event])).await?.position;
        }
    }
    let both = trial.filter();
    let filters = [
        (both.clone(), "both aggregate types", 8),
        (Filter::all().aggregate_types([a.clone()]), "one aggregate type", 4),
        (both.clone().event_types(["Opened"]), "one event type", 4),
        (both.clone().event_types(["Opened", "Closed"]), "two event types", 6),
        (Filter::all().aggregate_types([b.clone()]).event_types(["Closed"]), "one type of each", 1),
        (both.clone().event_types(["Shipped"]), "a type without events", 0),
    ];
    for (filter, what, count) in filters {
        let read = trial.read_to(&*store, &filter, 3, &end).await?;
        let stray =
            read.iter().find(|event| !filter.is_for(&event.head().aggregate_type, &event.head().event_type));
        ensure!(stray.is_none(), "a filter for {what} let through {stray:?}");
        ensure!(read.len() == count, "a filter for {what} let {} of {count} events through", read.len());
    }
    Ok(())
}

pub(super) async fn passes_over_what_is_filtered_out(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let stream = trial.stream();
    let start = trial.wait("the end", store.end()).await??;
    let end = trial.append_some(&*store, &stream, 50).await?.position;
    let nothing = trial.filter().event_types(["Shipped"]);
    let none = trial.read_between(&*store, &start, &nothing, 5, &end).await?;
    ensure!(none.is_empty(), "a filter for a type without events let {} through", none.len());
    // The 50 are not looked at again from where the page has ended.
    let page = trial.page(&*store, &end, &nothing, 5).await?;
    ensure!(page.position.has_reached(&end), "a page behind {end} ends before it, at {}", page.position);
    Ok(())
}

pub(super) async fn says_when_it_is_at_the_end(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (stream, filter) = (trial.stream(), trial.filter());
    let start = trial.wait("the end", store.end()).await??;
    let end = trial.append_some(&*store, &stream, 10).await?.position;
    trial.read_between(&*store, &start, &filter, 100, &end).await?;
    let page = trial.page(&*store, &start, &filter, 4).await?;
    ensure!(!page.at_end, "a page of {} of 10 events says that it is at the end", page.events.len());
    let mut position = start;
    let read = async {
        loop {
            tokio::task::yield_now().await;
            let page = store.read_all(&position, &filter, 4).await?;
            position = page.position;
            if page.at_end {
                return Ok::<_, Failure>(position);
            }
        }
    };
    let position = trial.wait("a page that is at the end", read).await??;
    ensure!(position.has_reached(&end), "a page at {position} says that it is at the end, which is {end}");
    Ok(())
}

pub(super) async fn end_covers_what_was_stored(trial: &Trial<'_>) -> Outcome {
    let (store, other) = (trial.store().await?, trial.store().await?);
    let streams = [(trial.stream(), 3), (trial.other_stream(), 2)];
    for (stream, count) in &streams {
        trial.append_some(&*store, stream, *count).await?;
    }
    let end = trial.wait("the end", other.end()).await??;
    let read = trial.read_to(&*other, &trial.filter(), 2, &end).await?;
    expectations::complete_and_in_order(&read, &streams)
}

pub(super) async fn positions_survive_as_text(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let (_, end) = mixed(trial, &*store).await?;
    let filter = trial.filter();
    let first = trial.page(&*store, &Position::START, &filter, 5).await?;
    let events = trial.read_to(&*store, &filter, 100, &end).await?;
    let positions = events.iter().map(|event| event.position().clone());
    for position in positions.chain([first.position, end.clone()]) {
        let text = position.to_string();
        let again: Position =
            text.parse().map_err(|error| Failure(format!("a position was written as `{text}`: {error}")))?;
        ensure!(again == position, "{position:?} was written as `{text}`, and reads as {again:?}");
        let behind = trial.read_between(&*store, &position, &filter, 100, &end).await?;
        let again = trial.read_between(&*store, &again, &filter, 100, &end).await?;
        ensure!(ids(&behind) == ids(&again), "reading behind `{text}` gives something else than before");
    }
    Ok(())
}

pub(super) async fn refuses_positions_of_other_stores(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    trial.append_some(&*store, &trial.stream(), 1).await?;
    let foreign = match trial.wait("the end", store.end()).await??.numbers() {
        Some(_) => Position::offsets([("conformance-0", 1)]),
        None => Position::at([1, 2, 3]),
    };
    let page = trial.wait("a read of all events", store.read_all(&foreign, &trial.filter(), 10)).await?;
    match page {
        Ok(page) => Err(Failure(format!(
            "reading behind `{foreign}`, which is no position of this store, gave {} events up to {}",
            page.events.len(),
            page.position
        ))),
        Err(error) => {
            let kind = error.kind();
            ensure!(kind == ErrorKind::Invalid, "a foreign position was refused as {kind:?}: {error:?}");
            Ok(())
        }
    }
}

pub(super) async fn wakes_when_something_is_stored(trial: &Trial<'_>) -> Outcome {
    let (store, other) = (trial.store().await?, trial.store().await?);
    let (stream, filter) = (trial.stream(), trial.filter());
    let mut position = trial.wait("the end", store.end()).await??;
    for round in 1..=5_u64 {
        let long = trial.fixture.patience() * 100;
        let (after, other) = (position.clone(), &*other);
        let waits = tokio::sync::Notify::new();
        let heard = trial.wait("a waiting reader to hear of an append", async {
            loop {
                tokio::task::yield_now().await;
                let page = other.read_all(&position, &filter, 100).await?;
                position = page.position;
                if !page.events.is_empty() {
                    return Ok::<_, Failure>(page.events);
                }
                if page.at_end {
                    waits.notify_one();
                    other.wait(&position, long).await?;
                }
            }
        });
        let append = async {
            waits.notified().await;
            trial.append_some(&*store, &stream, 1).await
        };
        let (events, appended) = futures_util::future::join(heard, append).await;
        let (events, appended) = (events??, appended?);
        let sequences: Vec<_> = events.iter().map(StoredEvent::sequence).collect();
        ensure!(sequences == [round], "behind {after}, event {round} was appended; {sequences:?} were read");
        position = appended.position;
    }
    // Between the read and the wait, something may come: there is something to read, and nothing to wait for.
    trial.append_some(&*store, &stream, 1).await?;
    let waited = other.wait(&position, trial.fixture.patience() * 100);
    Ok(trial.wait("a wait behind which something is stored already", waited).await??)
}

pub(super) async fn waits_no_longer_than_asked(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    trial.append_some(&*store, &trial.stream(), 1).await?;
    for _ in 0..3 {
        let end = trial.wait("the end", store.end()).await??;
        trial.wait("a wait of 20 ms to end", store.wait(&end, Duration::from_millis(20))).await??;
    }
    Ok(())
}
