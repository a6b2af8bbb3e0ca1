//! Several writers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jitney_core::{Env, Id};
use jitney_sourcing::{
    Append, Appended, Error, ErrorKind, EventStore, Expected, NewEvent, Position, StoredEvent, StreamId,
};
use tokio::sync::Barrier;

use super::trial::{PAUSE, Trial};
use super::{content, expectations};
use crate::conformance::failure::{Failure, Outcome, ensure};

const WRITERS: usize = 8;

/// Two handles on the store, as two processes have them.
async fn handles(trial: &Trial<'_>) -> Outcome<[Arc<dyn EventStore>; 2]> {
    Ok([trial.store().await?, trial.store().await?])
}

/// In each round all writers expect the same sequence, and begin together.
pub(super) async fn one_writer_wins_each_sequence(trial: &Trial<'_>) -> Outcome {
    let (handles, stream) = (handles(trial).await?, trial.stream());
    let mut winners: Vec<NewEvent> = Vec::new();
    while winners.len() < 40 {
        let last = winners.len() as u64;
        let answers = trial.wait("the answers of a race", race(trial, &handles, &stream, last)).await??;
        let mut won = Vec::new();
        let mut passed_on = false;
        for (events, answer) in answers {
            match answer {
                Ok(_) => won.push(events),
                Err(error) => match error.kind() {
                    ErrorKind::Conflict => {}
                    ErrorKind::NotOwner => passed_on = true,
                    kind => ensure!(false, "a writer that lost a race was answered {kind:?}: {error:?}"),
                },
            }
        }
        let expected = format!("of {WRITERS} writers that expected the stream at {last}");
        ensure!(won.len() <= 1, "{expected}, {} succeeded", won.len());
        // Where no handle owned that part of the store, nobody has won.
        ensure!(!won.is_empty() || passed_on, "{expected}, none succeeded");
        winners.extend(won.into_iter().flatten());
        for store in &handles {
            expectations::holds(&stream, &trial.stored(&**store, &stream).await?, &winners)?;
        }
    }
    Ok(())
}

type Answer = (Vec<NewEvent>, Result<Appended, Error>);

async fn race(
    trial: &Trial<'_>,
    handles: &[Arc<dyn EventStore>; 2],
    stream: &StreamId,
    last: u64,
) -> Outcome<Vec<Answer>> {
    let barrier = Arc::new(Barrier::new(WRITERS));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, barrier) = (Arc::clone(&handles[writer % 2]), Arc::clone(&barrier));
            let (stream, events) = (stream.clone(), trial.events(1 + writer % 3));
            trial.env.spawn(async move {
                barrier.wait().await;
                let append = Append::to(stream, Expected::Exact(last), events.clone());
                (events, store.append(append).await)
            })
        })
        .collect();
    let mut answers = Vec::new();
    for writer in writers {
        answers.push(writer.await.map_err(|error| Failure(format!("a writer failed: {error}")))?);
    }
    Ok(answers)
}

/// Each writer appends to streams of its own and to one of all, while a reader follows from the start.
pub(super) async fn followers_miss_nothing(trial: &Trial<'_>) -> Outcome {
    let handles = handles(trial).await?;
    let start = trial.wait("the end", handles[0].end()).await??;
    let shared = trial.stream();
    let done = Arc::new(AtomicBool::new(false));
    let barrier = Arc::new(Barrier::new(WRITERS));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let writer = Writer {
                env: trial.env.clone(),
                stores: [Arc::clone(&handles[number % 2]), Arc::clone(&handles[(number + 1) % 2])],
                streams: [trial.stream(), trial.other_stream(), trial.stream(), shared.clone()],
                random: fastrand::Rng::with_seed(trial.fixture.seed() + number as u64),
            };
            let barrier = Arc::clone(&barrier);
            trial.env.spawn(async move {
                barrier.wait().await;
                writer.write(60).await
            })
        })
        .collect();
    let reader = trial.store().await?;
    let following = follow(trial, &*reader, &start, &done);
    let writing = async {
        let mut written: Vec<(StreamId, usize)> = Vec::new();
        for writer in writers {
            let counts = writer.await.map_err(|error| Failure(format!("a writer failed: {error}")))??;
            for (stream, count) in counts {
                match written.iter_mut().find(|(known, _)| *known == stream) {
                    Some((_, total)) => *total += count,
                    None => written.push((stream, count)),
                }
            }
        }
        done.store(true, Ordering::SeqCst);
        Ok::<_, Failure>(written)
    };
    // Each page and each append has its bound; the check has one for all of them.
    let (read, written) = futures_util::future::try_join(following, writing).await?;
    expectations::complete_and_in_order(&read, &written)?;
    for (stream, count) in &written {
        let stored = trial.stored(&*reader, stream).await?;
        ensure!(
            stored.len() == *count,
            "{count} events of stream {stream} were acknowledged, and it has {}",
            stored.len()
        );
    }
    Ok(())
}

/// Everything that is stored behind `start`, until the writers are done and the end is reached.
async fn follow(
    trial: &Trial<'_>,
    store: &dyn EventStore,
    start: &Position,
    done: &AtomicBool,
) -> Outcome<Vec<StoredEvent>> {
    let (mut read, mut position) = (Vec::new(), start.clone());
    while !done.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
        let page = trial.page(store, &position, &trial.filter(), 20).await?;
        read.extend(page.events);
        position = page.position;
        if page.at_end {
            trial.wait("a wait of a bounded time to end", store.wait(&position, PAUSE)).await??;
        }
    }
    let end = trial.wait("the end", store.end()).await??;
    if !position.has_reached(&end) {
        read.extend(trial.read_between(store, &position, &trial.filter(), 20, &end).await?);
    }
    Ok(read)
}

struct Writer {
    env: Env,
    /// Where one does not own that part of the store, the other may.
    stores: [Arc<dyn EventStore>; 2],
    streams: [StreamId; 4],
    random: fastrand::Rng,
}

impl Writer {
    /// Appends `times` times, some of them in vain, and says how many events it has in which streams.
    async fn write(mut self, times: usize) -> Outcome<Vec<(StreamId, usize)>> {
        let mut counts: Vec<_> = self.streams.iter().map(|stream| (stream.clone(), 0)).collect();
        for time in 0..times {
            let place = self.random.usize(..self.streams.len());
            let events: Vec<_> =
                (0..self.random.usize(1..4)).map(|_| content::event(&self.env, time as u64)).collect();
            let count = events.len();
            // One in five expects what cannot be: a number may be used up, and nothing is stored.
            let expected = if self.random.u8(..5) == 0 { Expected::Exact(1_000_000) } else { Expected::Any };
            let append = Append::to(self.streams[place].clone(), expected, events);
            match self.append(append).await {
                Ok(_) if expected == Expected::Any => counts[place].1 += count,
                Ok(_) => return Err(Failure("an append behind event 1000000 was taken".to_owned())),
                Err(error) if error.kind() == ErrorKind::Conflict && expected != Expected::Any => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(counts)
    }

    async fn append(&self, append: Append) -> Result<Appended, Error> {
        let mut turn = 0;
        loop {
            match self.stores[turn % 2].append(append.clone()).await {
                Err(error) if error.kind() == ErrorKind::NotOwner => self.env.sleep(PAUSE).await,
                answer => return answer,
            }
            turn += 1;
        }
    }
}

/// Writers that append the same event at once: one stores it, and to the others it is a duplicate.
pub(super) async fn stores_an_event_once(trial: &Trial<'_>) -> Outcome {
    let (handles, stream) = (handles(trial).await?, trial.stream());
    let mut events: Vec<NewEvent> = Vec::new();
    while events.len() < 20 {
        let mut event = trial.events(1);
        event[0].event_id = Id::from(&*format!("{}-once-{}", stream.aggregate_id(), events.len()));
        let barrier = Arc::new(Barrier::new(WRITERS));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (store, barrier) = (Arc::clone(&handles[writer % 2]), Arc::clone(&barrier));
                let append = Append::to(stream.clone(), Expected::Any, event.clone());
                trial.env.spawn(async move {
                    barrier.wait().await;
                    store.append(append).await
                })
            })
            .collect();
        let (mut stored, mut passed_on) = (0, false);
        for writer in writers {
            let answer = trial.wait("the answer to an append", writer).await?;
            match answer.map_err(|error| Failure(format!("a writer failed: {error}")))? {
                Ok(_) => stored += 1,
                Err(error) => match error.kind() {
                    ErrorKind::Duplicate => {}
                    ErrorKind::NotOwner => passed_on = true,
                    kind => ensure!(false, "the second append of an event was answered {kind:?}: {error:?}"),
                },
            }
        }
        ensure!(
            stored <= 1,
            "an event was appended by {WRITERS} writers, and {stored} were told to have stored it"
        );
        ensure!(
            stored == 1 || passed_on,
            "an event was appended by {WRITERS} writers, and none has stored it"
        );
        if stored == 1 {
            events.extend(event);
        }
        expectations::holds(&stream, &trial.stored(&*handles[0], &stream).await?, &events)?;
    }
    Ok(())
}
