//! Requests in which some entries fail: each event has its own outcome, and only what may help is tried again.

use std::collections::HashMap;
use std::sync::Mutex;

use jitney_core::transport::Transport;

use super::answers::*;

#[test]
fn an_entry_that_is_refused_comes_back_and_the_others_are_stored() {
    run(async {
        let aws = Aws::new(|request| put(request, |id| (id == "e3").then_some("MalformedDetail")));
        let bridge = aws.connect().await;
        let mut answers = bridge.publish(events(aws.env(), 6)).await;
        let words: Vec<_> = answers.iter().map(word).collect();
        assert_eq!(words, ["acked", "acked", "acked", "rejected", "acked", "acked"]);
        let error = answers.remove(3).into_result().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`OrderCreated` e3") && text.contains("MalformedDetail"), "{text}");
        assert!(!error.is_retryable());
        assert_eq!(aws.requests("PutEvents").len(), 1, "nothing that helps was left to try");
    });
}

#[test]
fn only_entries_that_failed_for_a_moment_are_sent_again() {
    run(async {
        let seen: Mutex<HashMap<String, u32>> = Mutex::default();
        let aws = Aws::new(move |request| {
            put(request, |id| {
                let mut seen = seen.lock().unwrap();
                let attempt = seen.entry(id.to_owned()).and_modify(|seen| *seen += 1).or_insert(1);
                match (id, *attempt) {
                    ("e1", 1..=2) => Some("InternalFailure"),
                    ("e4", 1) => Some("ThrottlingException"),
                    _ => None,
                }
            })
        });
        let bridge = aws.connect().await;
        assert_eq!(outcomes(&bridge, events(aws.env(), 6)).await, ["acked"; 6]);
        let requests = aws.requests("PutEvents");
        assert_eq!(ids_of(&requests[0]), ["e0", "e1", "e2", "e3", "e4", "e5"]);
        let mut again: Vec<_> = requests[1..].iter().flat_map(ids_of).collect();
        again.sort();
        assert_eq!(again, ["e1", "e1", "e4"]);
    });
}

#[test]
fn an_entry_that_fails_until_the_time_is_up_is_rejected_and_may_be_tried_again() {
    run(async {
        let aws = Aws::new(|request| put(request, |id| (id == "e0").then_some("InternalFailure")));
        let bridge = aws.connect().await;
        let mut answers = bridge.publish(events(aws.env(), 2)).await;
        assert!(matches!(word(&answers[1]), "acked"));
        let error = answers.remove(0).into_result().unwrap_err();
        assert_eq!(
            error.kind(),
            jitney_core::ErrorKind::Rejected,
            "each entry's answer said that it is not stored"
        );
        assert!(error.is_retryable() && error.to_string().contains("InternalFailure"), "{error}");
        assert!(aws.requests("PutEvents").len() > 3);
    });
}

#[test]
fn a_request_that_one_entry_spoils_is_sent_again_entry_by_entry() {
    run(async {
        let aws = Aws::new(|request| match ids_of(request).contains(&"e2".to_owned()) {
            true => Answer::error(400, "ValidationException", "1 validation error detected"),
            false => put(request, |_| None),
        });
        let bridge = aws.connect().await;
        let words = outcomes(&bridge, events(aws.env(), 4)).await;
        assert_eq!(words, ["acked", "acked", "rejected", "acked"]);
        assert_eq!(aws.requests("PutEvents").len(), 5);
    });
}

#[test]
fn an_answer_that_says_nothing_of_an_entry_leaves_it_unknown() {
    run(async {
        let aws = Aws::new(|_| {
            Answer::Is(200, serde_json::json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] }))
        });
        let bridge = aws.connect().await;
        assert_eq!(outcomes(&bridge, events(aws.env(), 2)).await, ["acked", "unknown"]);
    });
}
