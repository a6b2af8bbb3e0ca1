//! Process managers that panic, and stores that never agree.

use std::convert::Infallible;
use std::time::Duration;

use jitney::prelude::*;
use jitney::sourcing::ErrorKind;
use jitney::sourcing::process::{Actions, OnFailure, ProcessContext, ProcessManager, ProcessRunner};

use crate::backend::{Backend, Memory};
use crate::checks::until;
use crate::interposed::{Fate, Interposed};
use crate::tally::{Tally, What, counted};

#[derive(Debug, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Nerves", id = of)]
struct Touched {
    of: String,
    hard: bool,
}

/// It panics when it is touched hard, and at a deadline of its own.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Nerves {
    touched: u32,
}

impl ProcessManager for Nerves {
    type Input = Touched;
    type Deadline = bool;
    type Error = Infallible;
    const NAME: &'static str = "nerves";

    fn key(input: &Touched) -> Option<String> {
        Some(input.of.clone())
    }

    fn starts(_: &Touched) -> bool {
        true
    }

    fn handle(&mut self, input: Touched, _: &ProcessContext<'_>) -> Result<Actions<bool>, Infallible> {
        self.touched += 1;
        assert!(!input.hard, "that hurts");
        Ok(Actions::new().schedule(true, Duration::ZERO).schedule(false, Duration::ZERO))
    }

    fn on_deadline(&mut self, hard: bool, _: &ProcessContext<'_>) -> Result<Actions<bool>, Infallible> {
        assert!(!hard, "that hurts later");
        self.touched += 1;
        Ok(Actions::new())
    }
}

fn touched(hard: bool) -> Touched {
    Touched { of: "n".to_owned(), hard }
}

#[tokio::test]
async fn a_panic_is_a_failure_of_the_step_and_the_runner_goes_on() {
    let backend = Memory::new().await;
    backend.append("hard", &touched(true)).await;
    backend.append("soft", &touched(false)).await;
    let runner = backend.runner::<Nerves>().await;
    let error = runner.catch_up().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Process, false));
    let text = "handling event hard (`Touched`) in process `n` for `nerves`: it has panicked, and nothing has changed: that hurts";
    assert_eq!(error.to_string(), text);

    let running = runner.on_failure(OnFailure::Park).poll_every(Duration::from_millis(5)).spawn();
    let looker = backend.runner::<Nerves>().await;
    let touched = async || looker.look("n").await.unwrap().map(|view| view.state.touched);
    // The event, and the deadline that does not panic.
    until("it has gone on", async || touched().await == Some(2)).await;
    assert_eq!(looker.parked(10).await.unwrap()[0].event_id.to_string(), "hard");
    assert_eq!(looker.look("n").await.unwrap().unwrap().deadlines.len(), 1, "the other one is not lost");
    running.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_is_never_heard_out_says_so_and_gives_up_to_catch_up() {
    let backend = Memory::new().await;
    backend.append("1", &counted("t", What::One)).await;
    let store = Interposed::always(backend.open().await, Fate::Lost);
    let runner = ProcessRunner::<Tally>::new(store.clone()).follow(backend.events());
    let error = runner.catch_up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert_eq!(store.commits(), 10, "it has tried some times");

    let running = runner.spawn();
    until("it says so", async || running.status().failure.is_some()).await;
    let failure = running.status().failure.unwrap();
    assert_eq!(failure, "making the steps anew, for the 2. time: the answer was lost");
    running.shutdown().await.unwrap();
}

#[tokio::test]
async fn clones_of_a_runner_that_are_spawned_do_not_follow_at_once() {
    let backend = Memory::new().await;
    let runner = backend.runner::<Tally>().await.poll_every(Duration::from_millis(5));
    let first = runner.spawn();
    until("the first one follows", async || first.status().follows).await;
    let second = runner.clone().spawn();
    let error = runner.catch_up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotOwner);
    backend.append("1", &counted("t", What::One)).await;
    let counted = async || runner.look("t").await.unwrap().map(|view| view.state.count);
    until("it is counted", async || counted().await == Some(1)).await;
    assert!(first.status().follows && !second.status().follows);
    first.shutdown().await.unwrap();
    until("the second one takes over", async || second.status().follows).await;
    second.shutdown().await.unwrap();
}
