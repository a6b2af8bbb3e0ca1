//! Answers that do not say whether events are stored, and requests that nobody got.

use std::sync::atomic::{AtomicU32, Ordering};

use jitney_core::ErrorKind;
use jitney_core::transport::Transport;

use super::answers::*;

#[test]
fn a_request_that_was_taken_and_never_answered_leaves_its_events_unknown() {
    run(async {
        let aws = Aws::new(|_| Answer::Never);
        let bridge = aws.connect().await;
        for answer in bridge.publish(events(aws.env(), 3)).await {
            assert_eq!(word(&answer), "unknown");
            let error = answer.into_result().unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unknown, true));
        }
    });
}

#[test]
fn a_time_out_is_followed_by_another_attempt_under_the_same_event_id() {
    run(async {
        let times = AtomicU32::new(0);
        let aws = Aws::new(move |request| match times.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::Never,
            _ => put(request, |_| None),
        });
        let bridge = aws.connect().await;
        assert_eq!(outcomes(&bridge, events(aws.env(), 1)).await, ["acked"]);
        let requests = aws.requests("PutEvents");
        assert_eq!(requests.iter().flat_map(ids_of).collect::<Vec<_>>(), ["e0", "e0"]);
    });
}

#[test]
fn an_error_of_the_server_may_have_stored_what_was_sent() {
    run(async {
        let aws = Aws::new(|_| Answer::error(500, "InternalException", "try again"));
        let bridge = aws.connect().await;
        assert_eq!(outcomes(&bridge, events(aws.env(), 2)).await, ["unknown"; 2]);
        assert!(aws.requests("PutEvents").len() > 1, "it was tried again");
    });
}

#[test]
fn what_may_be_stored_is_not_called_rejected_because_a_later_attempt_is() {
    run(async {
        let times = AtomicU32::new(0);
        let aws = Aws::new(move |_| match times.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::Never,
            _ => Answer::error(400, "AccessDeniedException", "not any more"),
        });
        let bridge = aws.connect().await;
        assert_eq!(outcomes(&bridge, events(aws.env(), 1)).await, ["unknown"]);
    });
}

#[test]
fn what_is_not_allowed_is_rejected_at_once() {
    run(async {
        let aws = Aws::new(|_| Answer::error(400, "AccessDeniedException", "no events:PutEvents"));
        let bridge = aws.connect().await;
        let error = bridge.publish(events(aws.env(), 1)).await.remove(0).into_result().unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Rejected, false));
        assert!(error.to_string().contains("grant it"), "{error}");
        assert_eq!(aws.requests("PutEvents").len(), 1);
    });
}

#[test]
fn closing_says_what_was_not_taken_in_time() {
    run(async {
        let aws = Aws::new(|_| Answer::Never);
        let bridge = aws.connect().await;
        let publish = bridge.publish(events(aws.env(), 2));
        let close = bridge.close(std::time::Duration::from_secs(1));
        let (outcomes, closed) = futures_util::future::join(publish, close).await;
        assert!(closed.unwrap_err().to_string().contains("2 events"));
        assert_eq!(outcomes.iter().map(word).collect::<Vec<_>>(), ["unknown"; 2]);
    });
}
