//! States of other versions.

use std::time::Duration;

use jitney::Env;
use jitney::sourcing::ErrorKind;
use jitney::sourcing::process::{OnFailure, ProcessStore};

use crate::backend::{Backend, raw};
use crate::checks::until;
use crate::tally::{Tally, What, counted};

pub(crate) async fn an_old_state_is_upcast_and_a_newer_or_broken_one_is_refused(backend: impl Backend) {
    let runner = backend.runner::<Tally>().await;
    let handle = async |id: &str| runner.handle(&raw(id, &counted("t", What::One))).await;
    handle("1").await.unwrap();
    backend.meddle("tally", "t", 1, "41").await;
    assert_eq!(runner.look("t").await.unwrap().unwrap().state.count, 41);
    handle("2").await.unwrap();
    assert_eq!(runner.look("t").await.unwrap().unwrap().state.count, 42);

    let cases = [
        (3, "{\"count\": 1}", ErrorKind::NewerSchema, "this program knows versions up to 2"),
        (0, "1", ErrorKind::Decode, "the upcast has failed"),
        (2, "{}", ErrorKind::Decode, "it is no state of this type"),
        (1, "\"many\"", ErrorKind::Decode, "what the upcast has made of it is no state of this type"),
    ];
    for (version, state, kind, why) in cases {
        backend.meddle("tally", "t", version, state).await;
        let error = handle("3").await.unwrap_err();
        let others_may = kind == ErrorKind::NewerSchema;
        assert_eq!((error.kind(), error.is_retryable()), (kind, others_may), "{error:?}");
        let text = error.to_string();
        let place = format!("reading the state of process `t` of `tally` (version {version}): ");
        assert!(text.starts_with(&place) && text.contains(why), "{text}");
    }
    backend.meddle("tally", "t", 2, "{\"count\": 42}").await;
    handle("3").await.unwrap();
    assert_eq!(runner.look("t").await.unwrap().unwrap().state.count, 43, "nothing of it was lost");
}

pub(crate) async fn an_older_program_lets_a_newer_one_follow_and_puts_nothing_aside(backend: impl Backend) {
    let runner = backend.runner::<Tally>().await.on_failure(OnFailure::Park);
    let runner = runner.poll_every(Duration::from_millis(5));
    runner.handle(&raw("1", &counted("t", What::One))).await.unwrap();
    backend.meddle("tally", "t", 3, "{\"count\": 1}").await;
    backend.append("2", &counted("t", What::One)).await;
    assert_eq!(runner.catch_up().await.unwrap_err().kind(), ErrorKind::NewerSchema);

    let running = runner.spawn();
    until("it says so", async || running.status().failure.is_some()).await;
    let failure = running.status().failure.unwrap();
    let left = "event 1 of stream Tally/t (`Counted` 1.0) is left to a newer version of this program: ";
    assert!(failure.starts_with(left), "{failure}");
    let store = backend.open().await;
    let claim = async || {
        let now = Env::system().now();
        store.claim_feed("tally", "newer", now, now + Duration::from_secs(60)).await.unwrap().is_some()
    };
    until("another one may follow", claim).await;
    assert_eq!(runner.counts().await.unwrap().parked, 0);
    // The newer program was taken back.
    backend.meddle("tally", "t", 2, "{\"count\": 1}").await;
    store.release_feed("tally", "newer").await.unwrap();
    let count = async || runner.look("t").await.unwrap().unwrap().state.count;
    until("it goes on", async || count().await == 2).await;
    running.shutdown().await.unwrap();
}
