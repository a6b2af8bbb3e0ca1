//! Deadlines.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use jitney::Env;
use jitney::sourcing::ErrorKind;
use jitney::sourcing::process::{MemoryProcessStore, ProcessRunner, ProcessStore};

use crate::backend::{Backend, Memory, raw};
use crate::checks::until;
use crate::interposed::Interposed;
use crate::tally::{HOUR, Tally, What, counted};

pub(crate) async fn a_deadline_fires_once_though_many_look_after_it(backend: impl Backend) {
    let runner = backend.runner::<Tally>().await;
    let tallies: Vec<_> = (0..20).map(|number| format!("t-{number}")).collect();
    for tally in &tallies {
        runner.handle(&raw(&format!("{tally}-1"), &counted(tally, What::Wait(0)))).await.unwrap();
    }
    let mut runners = Vec::new();
    for _ in 0..3 {
        let runner = ProcessRunner::<Tally>::new(backend.open().await).poll_every(Duration::from_millis(1));
        runners.push(runner.spawn());
    }
    until("all have rung", async || backend.sent().await.len() >= tallies.len()).await;
    until("nothing is due", async || runner.counts().await.unwrap().overdue == 0).await;
    for runner in runners {
        runner.shutdown().await.unwrap();
    }
    let mut rang: Vec<_> = backend.sent().await.into_iter().map(|head| head.aggregate_id).collect();
    rang.sort();
    let mut expected = tallies;
    expected.sort();
    assert_eq!(rang, expected);
}

pub(crate) async fn deadlines_outlive_their_runner(backend: impl Backend) {
    let runner = backend.runner::<Tally>().await;
    runner.handle(&raw("1", &counted("t", What::Wait(1)))).await.unwrap();
    runner.handle(&raw("2", &counted("u", What::Wait(HOUR)))).await.unwrap();
    drop(runner);
    let runner = backend.runner::<Tally>().await;
    let caught_up = async || {
        runner.catch_up().await.unwrap();
        !backend.sent().await.is_empty()
    };
    until("it has rung", caught_up).await;
    assert_eq!(backend.sent_to("t").await, ["Rang"]);

    // One that has claimed a deadline and died: it is another one's when the claim has passed.
    let store = backend.open().await;
    let claim = async |hour: u32| {
        let at = |hour: u32| Env::system().now().checked_add(Duration::from_millis(HOUR) * hour).unwrap();
        store.claim_due("tally", at(hour), at(4), 10).await.unwrap().claimed.len()
    };
    assert_eq!((claim(2).await, claim(3).await, claim(5).await), (1, 0, 1));
}

pub(crate) async fn a_deadline_that_is_taken_back_in_the_same_moment_does_not_fire(backend: impl Backend) {
    // The step that takes it back is stored when the deadline was claimed, looked at, and is just about to be stored.
    let other = backend.runner::<Tally>().await;
    let set = raw("1", &counted("t", What::Wait(0)));
    other.handle(&set).await.unwrap();
    let interposed = Interposed::new(backend.open().await);
    let take_back = Arc::new(raw("2", &counted("t", What::TakeBack)));
    let taker = other.clone();
    interposed.before_commit(move || {
        let (taker, take_back) = (taker.clone(), Arc::clone(&take_back));
        async move {
            taker.handle(&take_back).await.unwrap();
        }
    });
    ProcessRunner::<Tally>::new(interposed.clone()).catch_up().await.unwrap();
    assert_eq!(interposed.commits(), 1, "it was tried");
    assert!(backend.sent().await.is_empty());
    let view = other.look("t").await.unwrap().unwrap();
    assert_eq!((view.state.count, view.steps.len(), view.deadlines.len()), (2, 2, 0));
}

pub(crate) async fn a_deadline_is_moved_and_set_again_by_itself(backend: impl Backend) {
    let runner = backend.runner::<Tally>().await;
    for (id, what) in [("1", What::Wait(0)), ("2", What::Wait(HOUR))] {
        runner.handle(&raw(id, &counted("t", what))).await.unwrap();
    }
    runner.catch_up().await.unwrap();
    assert!(backend.sent().await.is_empty(), "it was moved");
    assert_eq!(runner.look("t").await.unwrap().unwrap().deadlines.len(), 1);
    runner.handle(&raw("3", &counted("u", What::Repeat(3)))).await.unwrap();
    runner.catch_up().await.unwrap();
    let sent = backend.sent().await;
    let ids: std::collections::HashSet<_> = sent.iter().map(|head| head.event_id.clone()).collect();
    assert_eq!((sent.len(), ids.len()), (3, 3), "each has an id of its own");
    assert!(sent.iter().all(|head| head.correlation_id().to_string() == "3"), "all are of one chain");
}

pub(crate) async fn a_deadline_that_fails_keeps_no_other_from_firing(backend: impl Backend) {
    let runner = backend.runner::<Tally>().await;
    for tally in ["a", "b", "c"] {
        runner.handle(&raw(tally, &counted(tally, What::Wait(0)))).await.unwrap();
    }
    backend.meddle("tally", "b", 2, "\"broken\"").await;
    // An event that cannot be handled does neither.
    backend.append("bad", &counted("d", What::Fail)).await;
    assert_eq!(runner.catch_up().await.unwrap_err().kind(), ErrorKind::Process, "what came first");
    let mut rang: Vec<_> = backend.sent().await.into_iter().map(|head| head.aggregate_id).collect();
    rang.sort();
    assert_eq!(rang, ["a", "c"]);

    runner.handle(&raw("d", &counted("d", What::Wait(0)))).await.unwrap();
    backend.meddle("tally", "d", 2, "\"broken\"").await;
    runner.handle(&raw("e", &counted("e", What::Wait(0)))).await.unwrap();
    let firing = ProcessRunner::<Tally>::new(backend.open().await);
    assert_eq!(firing.catch_up().await.unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(backend.sent_to("e").await, ["Rang"]);
}

#[tokio::test]
async fn a_runner_that_is_to_stop_does_so_between_two_deadlines() {
    let backend = Memory::new().await;
    let runner = backend.runner::<Tally>().await;
    for tally in ["a", "b", "c"] {
        runner.handle(&raw(tally, &counted(tally, What::Wait(0)))).await.unwrap();
    }
    let store = Interposed::new(backend.open().await);
    let (reached, at_first) = tokio::sync::oneshot::channel();
    let (go_on, gate) = tokio::sync::oneshot::channel::<()>();
    let ends = Mutex::new(Some((reached, gate)));
    store.before_commit(move || {
        let ends = ends.lock().unwrap().take();
        async move {
            let (reached, gate) = ends.expect("it runs once");
            reached.send(()).unwrap();
            gate.await.unwrap();
        }
    });
    let running = ProcessRunner::<Tally>::new(store).spawn();
    at_first.await.unwrap();
    let mut shutdown = Box::pin(running.shutdown());
    // It is told when it is polled first.
    assert!((&mut shutdown).now_or_never().is_none());
    go_on.send(()).unwrap();
    shutdown.await.unwrap();
    assert_eq!(backend.sent().await.len(), 1);
}

/// A deadline that another runner is just claiming: it is due, and not to be had.
#[tokio::test(start_paused = true)]
async fn a_deadline_that_is_not_to_be_had_is_looked_for_again_and_not_at_once() {
    let store = Interposed::new(MemoryProcessStore::new()).with_locked_deadline();
    let running = ProcessRunner::<Tally>::new(store.clone()).poll_every(Duration::ZERO).spawn();
    // Time stands still as long as there is something to do.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.claims(), 1, "it waits for its next turn");
    until("it looks again", async || store.claims() > 1).await;
    running.shutdown().await.unwrap();
}

pub(crate) async fn a_deadline_is_kept_for_no_time_before_its_own(backend: impl Backend) {
    let runner = backend.runner::<Tally>().await;
    runner.handle(&raw("1", &counted("t", What::WaitMicros(HOUR * 1_000 + 1)))).await.unwrap();
    let view = runner.look("t").await.unwrap().unwrap();
    assert_eq!(view.deadlines[0].at, view.started_at + Duration::from_millis(HOUR + 1));
}
