//! Commands of several writers, through repositories.

use std::convert::Infallible;
use std::sync::Arc;

use jitney_sourcing::{ErrorKind, HandleError, Handled, Repository};
use tokio::sync::Barrier;

use super::counter::{Counter, Increment};
use super::trial::{PAUSE, Trial};
use crate::conformance::failure::{Failure, Outcome, ensure};

const WRITERS: usize = 8;

/// Two repositories, as two processes have them.
async fn repositories(trial: &Trial<'_>) -> Outcome<[Repository<Counter>; 2]> {
    let repository = |store| Repository::<Counter>::new(store).with_attempts(1_000);
    Ok([repository(trial.store().await?), repository(trial.store().await?)])
}

/// What became of `commands` that all writers have asked for at once; none has an id where `ids` gives none.
async fn race(
    trial: &Trial<'_>,
    counters: &[Repository<Counter>; 2],
    id: &str,
    command_id: Option<&str>,
    by: impl Fn(usize) -> u64,
) -> Outcome<Vec<Handled<Counter>>> {
    let barrier = Arc::new(Barrier::new(WRITERS));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (counters, barrier) = (counters.clone(), Arc::clone(&barrier));
            let (id, command_id) = (id.to_owned(), command_id.map(str::to_owned));
            let (env, command) = (trial.env.clone(), Increment { by: by(writer) });
            trial.env.spawn(async move {
                barrier.wait().await;
                let mut turn = writer;
                loop {
                    let mut request = counters[turn % 2].request();
                    if let Some(command_id) = &command_id {
                        request = request.command_id(command_id.as_str());
                    }
                    match request.handle(&*id, command.clone()).await {
                        Err(HandleError::Store(error)) if error.kind() == ErrorKind::NotOwner => {
                            env.sleep(PAUSE).await;
                        }
                        answer => return answer,
                    }
                    turn += 1;
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for writer in writers {
        let handled = trial.wait("a command to be handled", writer).await?;
        let handled = handled.map_err(|error| Failure(format!("a writer failed: {error}")))?;
        all.push(handled.map_err(|error: HandleError<Infallible>| match error {
            HandleError::Rejected(never) => match never {},
            HandleError::Store(error) => Failure::from(error),
        })?);
    }
    Ok(all)
}

pub(super) async fn handles_a_command_once(trial: &Trial<'_>) -> Outcome {
    let counters = repositories(trial).await?;
    let id = trial.id();
    let mut before = 0;
    for round in 1..=20 {
        let command_id = format!("{id}-command-{round}");
        // Not quite the same command, so that it shows whose was handled.
        let handled = race(trial, &counters, &id, Some(&command_id), |writer| 1 << writer).await?;
        let root = counters[0].load(&*id).await?;
        let (total, sequence) = (root.total, root.sequence());
        ensure!(
            sequence == round,
            "{round} commands were given by {WRITERS} writers each, and led to {sequence} events"
        );
        let first: Vec<_> =
            handled.iter().enumerate().filter(|(_, handled)| !handled.was_handled_before).collect();
        ensure!(
            first.len() == 1,
            "of {WRITERS} commands of one id, {} were handled as the first one",
            first.len()
        );
        let by = total - before;
        ensure!(
            by == 1 << first[0].0,
            "a command of {by} was handled, and writer {} was told that its was",
            first[0].0
        );
        let other = handled.iter().map(|handled| handled.state.total).find(|told| *told != total);
        ensure!(other.is_none(), "a counter is at {total}, and a writer of the command was told {other:?}");
        before = total;
    }
    Ok(())
}

pub(super) async fn loses_no_command(trial: &Trial<'_>) -> Outcome {
    let counters = repositories(trial).await?;
    let (id, mut expected) = (trial.id(), 0);
    for _ in 0..10 {
        let handled = race(trial, &counters, &id, None, |writer| 1 << writer).await?;
        expected += (1 << WRITERS) - 1;
        let newest = handled.iter().map(|handled| handled.state.total).max();
        let total = counters[1].load(&*id).await?.total;
        ensure!(
            total == expected,
            "the commands of {WRITERS} writers add up to {expected}, and the counter is at {total}"
        );
        ensure!(newest == Some(total), "the counter is at {total}, and its last writer was told {newest:?}");
    }
    Ok(())
}
