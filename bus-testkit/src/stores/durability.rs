//! What was acknowledged is there, whatever happens to handles and servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{try_join, try_join_all};
use jitney_sourcing::{Append, ErrorKind, EventStore, Expected, NewEvent, StreamId, StreamState};

use tokio::sync::Mutex;

use super::fixture::Disturbance;
use super::trial::{PAUSE, Trial};
use super::{expectations, snapshots};
use crate::conformance::failure::{Failure, Outcome, ensure};

pub(super) async fn keeps_everything_over_reopening(trial: &Trial<'_>) -> Outcome {
    let store = trial.store().await?;
    let [open, archived, ended] = [trial.stream(), trial.stream(), trial.other_stream()];
    let events = trial.events(7);
    for stream in [&open, &archived, &ended] {
        trial.append(&*store, Append::to(stream.clone(), Expected::New, events.clone())).await?;
    }
    trial.as_owner(|| store.archive(&archived)).await?;
    trial.as_owner(|| store.end_stream(&ended, Expected::Any)).await?;
    let end = trial.wait("the end", store.end()).await??;
    drop(store);

    let store = trial.store().await?;
    for (stream, state) in
        [(&open, StreamState::Open), (&archived, StreamState::Archived), (&ended, StreamState::Ended)]
    {
        expectations::holds(stream, &trial.stored(&*store, stream).await?, &events)?;
        let known = store.stream_info(stream).await?.map(|info| info.state);
        ensure!(known == Some(state), "stream {stream} was {state:?}, and is {known:?} after reopening");
    }
    let again = Append::to(open.clone(), Expected::Exact(7), [events[0].clone()]);
    trial.refused(&*store, again, ErrorKind::Duplicate, "an event of before").await?;
    let reached = trial.wait("the end", store.end()).await??;
    ensure!(reached.has_reached(&end), "the end was {end}, and is {reached} after reopening");
    let all = trial.filter();
    let read = trial.read_to(&*store, &all, 5, &end).await?;
    expectations::complete_and_in_order(&read, &[(open.clone(), 7), (archived, 7), (ended, 7)])?;
    trial.append(&*store, trial.append_of(&open, Expected::Exact(7), 1)).await?;
    Ok(())
}

pub(super) async fn keeps_snapshots_over_reopening(trial: &Trial<'_>) -> Outcome {
    let (store, stream) = (trial.store().await?, trial.stream());
    trial.append_some(&*store, &stream, 1).await?;
    let snapshot = snapshots::snapshot(trial, 1, "{\"total\":1}")?;
    snapshots::of(&*store)?.save_snapshot(&stream, snapshot.clone()).await?;
    drop(store);
    let store = trial.store().await?;
    let found = snapshots::of(&*store)?.load_snapshot(&stream).await?;
    ensure!(found.as_ref() == Some(&snapshot), "a snapshot was kept, and is {found:?} after reopening");
    Ok(())
}

pub(super) async fn survives_restarts_of_the_server(trial: &Trial<'_>) -> Outcome {
    disturbed(trial, Disturbance::Restart).await
}

pub(super) async fn survives_kills_of_the_server(trial: &Trial<'_>) -> Outcome {
    disturbed(trial, Disturbance::Kill).await
}

const WRITERS: usize = 6;

/// So many appends are acknowledged before the first disturbance, and between two of them.
const BETWEEN: usize = 120;

/// Writers append without a pause while the server is disturbed twice; what is acknowledged is there in the end, once.
async fn disturbed(trial: &Trial<'_>, disturbance: Disturbance) -> Outcome {
    let start = trial.wait("the end", trial.store().await?.end()).await??;
    let (acknowledged, enough) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let handles = Handles::open(trial).await?;
    let writers = (0..WRITERS).map(|_| write(trial, &handles, &acknowledged, &enough));
    let disturber = async {
        for time in 1..=2 {
            while acknowledged.load(Ordering::SeqCst) < time * BETWEEN {
                trial.env.sleep(PAUSE).await;
            }
            trial.fixture.disturb(disturbance).await?;
        }
        // Behind the last disturbance, writing goes on for a while.
        enough.store(acknowledged.load(Ordering::SeqCst) + BETWEEN, Ordering::SeqCst);
        Ok::<_, Failure>(())
    };
    let (written, ()) = try_join(try_join_all(writers), disturber).await?;
    let store = reopened(trial).await?;
    for (stream, events) in &written {
        expectations::holds(stream, &trial.stored(&*store, stream).await?, events)?;
    }
    let end = trial.wait("the end", store.end()).await??;
    let read = trial.read_between(&*store, &start, &trial.filter(), 100, &end).await?;
    let counts: Vec<_> = written.into_iter().map(|(stream, events)| (stream, events.len())).collect();
    expectations::complete_and_in_order(&read, &counts)
}

/// Opens the store, as soon as it can be opened.
async fn reopened(trial: &Trial<'_>) -> Outcome<Arc<dyn EventStore>> {
    trial
        .wait("the store to be opened", async {
            loop {
                match trial.fixture.store().await {
                    Ok(store) => return store,
                    Err(_) => trial.env.sleep(PAUSE).await,
                }
            }
        })
        .await
}

/// Two handles that all writers share: where one does not write to a part of the store, the other may.
struct Handles([Mutex<Arc<dyn EventStore>>; 2]);

impl Handles {
    async fn open(trial: &Trial<'_>) -> Outcome<Self> {
        Ok(Handles([Mutex::new(reopened(trial).await?), Mutex::new(reopened(trial).await?)]))
    }

    /// The handle of this `turn`.
    async fn handle(&self, turn: usize) -> Arc<dyn EventStore> {
        Arc::clone(&*self.0[turn % 2].lock().await)
    }

    /// Opens the handle of this `turn` anew, unless another writer has done so since it `failed`.
    async fn reopen(&self, trial: &Trial<'_>, turn: usize, failed: &Arc<dyn EventStore>) -> Outcome {
        let mut handle = self.0[turn % 2].lock().await;
        if Arc::ptr_eq(&handle, failed) {
            *handle = reopened(trial).await?;
        }
        Ok(())
    }
}

/// Appends to one stream until enough is acknowledged. An append without a clear answer is made again with the same ids.
async fn write(
    trial: &Trial<'_>,
    handles: &Handles,
    acknowledged: &AtomicUsize,
    enough: &AtomicUsize,
) -> Outcome<(StreamId, Vec<NewEvent>)> {
    let (stream, mut events) = (trial.stream(), Vec::new());
    let mut turn = 0;
    while acknowledged.load(Ordering::SeqCst) < enough.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
        let batch = trial.events(1 + trial.random(3));
        let expected = Expected::Exact(events.len() as u64);
        let append = Append::to(stream.clone(), expected, batch.clone());
        let mut unknown = false;
        let stored = trial.wait("an append to be acknowledged", async {
            loop {
                let store = handles.handle(turn).await;
                let error = match store.append(append.clone()).await {
                    Ok(_) => return Ok(()),
                    Err(error) => error,
                };
                match error.kind() {
                    ErrorKind::Duplicate if unknown => return Ok(()),
                    ErrorKind::Unknown => unknown = true,
                    ErrorKind::NotOwner => turn += 1,
                    ErrorKind::Store | ErrorKind::Closed => handles.reopen(trial, turn, &store).await?,
                    _ => {
                        let events = events.len();
                        return Err(Failure(format!(
                            "the only writer of stream {stream}, with {events} events acknowledged, was refused: \
                             {error:?}"
                        )));
                    }
                }
                trial.env.sleep(PAUSE).await;
            }
        });
        stored.await??;
        events.extend(batch);
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
    Ok((stream, events))
}
