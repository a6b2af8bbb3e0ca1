//! States of other versions.

use jitney::sourcing::ErrorKind;

use crate::backend::{Backend, raw};
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
        assert_eq!((error.kind(), error.is_retryable()), (kind, false), "{error:?}");
        let text = error.to_string();
        let place = format!("reading the state of process `t` of `tally` (version {version}): ");
        assert!(text.starts_with(&place) && text.contains(why), "{text}");
    }
    backend.meddle("tally", "t", 2, "{\"count\": 42}").await;
    handle("3").await.unwrap();
    assert_eq!(runner.look("t").await.unwrap().unwrap().state.count, 43, "nothing of it was lost");
}
