//! Inputs that cannot be handled.

use std::time::Duration;

use jitney::sourcing::ErrorKind;
use jitney::sourcing::process::{Handling, OnFailure, ProcessRunner, ProcessStore};

use crate::backend::Backend;
use crate::checks::until;
use crate::interposed::Interposed;
use crate::tally::{Tally, What, counted};

async fn append(backend: &impl Backend) {
    backend.append("good-1", &counted("t", What::One)).await;
    backend.append("bad", &counted("t", What::Fail)).await;
    backend.append("good-2", &counted("t", What::One)).await;
}

pub(crate) async fn a_runner_stops_at_what_it_cannot_handle_until_it_is_passed_over(backend: impl Backend) {
    append(&backend).await;
    let runner = backend.runner::<Tally>().await.poll_every(Duration::from_millis(5));
    let error = runner.catch_up().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Process, false));
    let text = error.to_string();
    assert!(text.starts_with("handling event bad (`Counted`) in process `t` of `tally`"), "{text}");
    assert_eq!(runner.look("t").await.unwrap().unwrap().state.count, 1, "what came before it is done");

    let running = runner.spawn();
    until("it has stopped", async || running.status().failure.is_some()).await;
    let failure = running.status().failure.unwrap();
    assert!(failure.starts_with("stopped at event 2 of stream Tally/t (`Counted` 1.0): "), "{failure}");
    assert!(failure.ends_with("pass the event over by `skip(\"bad\")`"), "{failure}");
    // From another program.
    ProcessRunner::<Tally>::new(backend.open().await).skip("bad").await.unwrap();
    let count = async || runner.look("t").await.unwrap().unwrap().state.count;
    until("it goes on", async || count().await == 2).await;
    until("it says so", async || running.status().failure.is_none()).await;
    running.shutdown().await.unwrap();
    let parked = runner.parked(10).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].what, "event 2 of stream Tally/t (`Counted` 1.0)");
    assert!(parked[0].error.as_ref().unwrap().contains("it was told to fail"));
}

pub(crate) async fn what_cannot_be_handled_is_put_aside_and_handled_later(backend: impl Backend) {
    append(&backend).await;
    // The state is what is wrong, and is mended.
    let runner = backend.runner::<Tally>().await.on_failure(OnFailure::Park);
    backend.append("good-3", &counted("u", What::One)).await;
    runner.catch_up().await.unwrap();
    assert_eq!(runner.counts().await.unwrap().parked, 1);
    assert_eq!(runner.look("t").await.unwrap().unwrap().state.count, 2);
    backend.meddle("tally", "u", 2, "\"broken\"").await;
    backend.append("good-4", &counted("u", What::One)).await;
    runner.catch_up().await.unwrap();
    let parked: Vec<_> =
        runner.parked(10).await.unwrap().iter().map(|input| input.event_id.to_string()).collect();
    assert_eq!(parked, ["bad", "good-4"]);

    backend.meddle("tally", "u", 2, "{\"count\": 1}").await;
    assert_eq!(runner.retry_parked("good-4").await.unwrap(), Handling::Handled);
    assert_eq!(runner.look("u").await.unwrap().unwrap().state.count, 2);
    assert!(backend.open().await.parked_input("tally", &"good-4".into()).await.unwrap().is_none());
    assert_eq!(runner.retry_parked("bad").await.unwrap_err().kind(), ErrorKind::Process, "it is as it was");
    assert_eq!(runner.counts().await.unwrap().parked, 1);
    assert_eq!(runner.retry_parked("good-1").await.unwrap_err().kind(), ErrorKind::Invalid);
}

pub(crate) async fn what_the_store_refuses_is_found_among_the_others_and_put_aside(backend: impl Backend) {
    for id in ["good-1", "refused", "good-2"] {
        backend.append(id, &counted("t", What::One)).await;
    }
    let store = Interposed::refusing(backend.open().await, "refused");
    let stopping = ProcessRunner::<Tally>::new(store).follow(backend.events());
    let parking = stopping.clone().on_failure(OnFailure::Park);
    let count = async || stopping.look("t").await.unwrap().unwrap().state.count;
    assert_eq!(stopping.catch_up().await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(count().await, 1, "what came before it is done");
    let running = stopping.clone().poll_every(Duration::from_millis(5)).spawn();
    until("it says so", async || running.status().failure.is_some()).await;
    let failure = running.status().failure.unwrap();
    assert!(failure.starts_with("stopped at event 2 of stream Tally/t (`Counted` 1.0): "), "{failure}");
    running.shutdown().await.unwrap();
    parking.catch_up().await.unwrap();
    assert_eq!(count().await, 2);
    assert_eq!(parking.parked(10).await.unwrap()[0].event_id.to_string(), "refused");
    // Whatever is in the id of an event, it can be passed over.
    parking.skip("a\0b").await.unwrap();
    assert!(backend.open().await.parked_input("tally", &"a\0b".into()).await.unwrap().is_some());
}

pub(crate) async fn an_event_that_was_put_aside_meanwhile_stays_so_when_it_is_passed_over(
    backend: impl Backend,
) {
    append(&backend).await;
    let runner = backend.runner::<Tally>().await.on_failure(OnFailure::Park);
    runner.catch_up().await.unwrap();
    let before = runner.parked(10).await.unwrap();
    runner.skip("bad").await.unwrap();
    assert_eq!((before.len(), runner.parked(10).await.unwrap()), (1, before));
}

pub(crate) async fn what_was_put_aside_and_is_ignored_stays_until_it_is_forgotten(backend: impl Backend) {
    append(&backend).await;
    let runner = backend.runner::<Tally>().await.on_failure(OnFailure::Park);
    backend.append("end", &counted("t", What::End)).await;
    runner.catch_up().await.unwrap();
    assert_eq!(runner.retry_parked("bad").await.unwrap(), Handling::IgnoredCompleted);
    assert_eq!(runner.counts().await.unwrap().parked, 1);
    runner.forget_parked("bad").await.unwrap();
    assert_eq!(runner.counts().await.unwrap().parked, 0);
}
