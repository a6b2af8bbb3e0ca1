//! Receives that fail, and messages that wait for the reader.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jitney_core::transport::{Demand, Settle, Settlement, SourceEvent};
use serde_json::json;

use super::answers::*;

#[test]
fn an_interruption_is_told_once_and_the_source_goes_on_by_itself() {
    run(async {
        let times = AtomicU32::new(0);
        let aws = Aws::with_queue(move |request| match request.operation.as_str() {
            "ReceiveMessage" if times.fetch_add(1, Ordering::Relaxed) < 20 => {
                Answer::error(500, "InternalError", "try again")
            }
            "ReceiveMessage" => messages(1),
            _ => Answer::Is(200, json!({})),
        });
        let mut subscribed = aws.subscribe().await;
        let error = poll_fn(|cx| subscribed.source.poll_next(cx, DEMAND)).await.unwrap_err();
        assert!(error.is_retryable() && error.to_string().contains("group `shop.billing`"), "{error}");
        let came = poll_fn(|cx| subscribed.source.poll_next(cx, DEMAND)).await.unwrap();
        assert!(matches!(came, SourceEvent::Deliveries(_)), "it told the same interruption again: {came:?}");
    });
}

#[test]
fn receives_that_fail_follow_each_other_at_intervals() {
    run(async {
        let aws = Aws::with_queue(|request| match request.operation.as_str() {
            "ReceiveMessage" => Answer::error(500, "InternalError", "try again"),
            _ => Answer::Is(200, json!({})),
        });
        let mut subscribed = aws.subscribe().await;
        let end = aws.env().instant() + Duration::from_mins(5);
        // The reader asks again and again, which is no reason to ask the queue again.
        while aws.env().instant() < end {
            let polled = poll_fn(|cx| subscribed.source.poll_next(cx, DEMAND));
            let _ = aws.env().timeout(Duration::from_millis(10), polled).await;
        }
        let requests = aws.requests("ReceiveMessage").len();
        assert!((10..1_000).contains(&requests), "{requests} requests in five minutes");
    });
}

#[test]
fn what_will_not_succeed_ends_the_source() {
    run(async {
        let aws = Aws::with_queue(|request| match request.operation.as_str() {
            "ReceiveMessage" => Answer::error(400, "AccessDenied", "no sqs:ReceiveMessage"),
            _ => Answer::Is(200, json!({})),
        });
        let mut subscribed = aws.subscribe().await;
        let error = poll_fn(|cx| subscribed.source.poll_next(cx, DEMAND)).await.unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains("AccessDenied"), "{error}");
        let last = poll_fn(|cx| subscribed.source.poll_next(cx, DEMAND)).await.unwrap();
        assert!(matches!(last, SourceEvent::Closed), "{last:?}");
    });
}

#[test]
fn what_waits_for_the_reader_leaves_it_the_time_that_is_promised() {
    run(async {
        let (times, renewals) = (AtomicU32::new(0), AtomicU32::new(0));
        let aws = Aws::with_queue(move |request| match request.operation.as_str() {
            "ReceiveMessage" if times.fetch_add(1, Ordering::Relaxed) > 0 => Answer::Never,
            "ReceiveMessage" => messages(3),
            // So that time goes on, should renewing never end.
            "ChangeMessageVisibilityBatch" if renewals.fetch_add(1, Ordering::Relaxed) > 50 => Answer::Never,
            _ => Answer::Is(200, json!({})),
        });
        let mut subscribed = aws.subscribe().await;
        let narrow = Demand { events: 10, bytes: 1 };
        let next = async |source: &mut dyn jitney_core::transport::Source| {
            loop {
                match poll_fn(|cx| source.poll_next(cx, narrow)).await {
                    Ok(SourceEvent::Deliveries(deliveries)) => return deliveries[0].token,
                    // The long poll that nobody answers.
                    Err(error) if error.is_retryable() => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        next(&mut *subscribed.source).await;
        // Longer than anything is hidden at once.
        aws.env().sleep(Duration::from_secs(100)).await;
        let late = aws.env().timeout(EVER, next(&mut *subscribed.source)).await.expect("it comes");
        // Of the 30 seconds for which SQS hides a message, 20 are promised.
        aws.env().sleep(Duration::from_millis(19_900)).await;
        subscribed.settler.settle(vec![Settlement::new(late, Settle::Ack)]).await.unwrap();
        assert_eq!(aws.requests("DeleteMessageBatch").len(), 1, "it was not this member's any more");
        assert!(aws.requests("ChangeMessageVisibilityBatch").len() < 30, "it is renewed when it is due");
    });
}

#[test]
fn what_nobody_wants_is_not_held_back_from_others() {
    run(async {
        let aws = Aws::with_queue(|request| match request.operation.as_str() {
            "ReceiveMessage" => messages(3),
            _ => Answer::Is(200, json!({})),
        });
        let mut subscribed = aws.subscribe().await;
        let one = Demand { events: 1, bytes: usize::MAX };
        let _ = poll_fn(|cx| subscribed.source.poll_next(cx, one)).await.unwrap();
        let nothing = poll_fn(|cx| subscribed.source.poll_next(cx, Demand::NOTHING));
        assert!(aws.env().timeout(Duration::from_secs(100), nothing).await.is_err());
        assert!(aws.requests("ChangeMessageVisibilityBatch").is_empty());
    });
}
