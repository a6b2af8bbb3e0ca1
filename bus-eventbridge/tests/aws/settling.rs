//! Entries of SQS's batches that fail.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jitney_core::transport::{Delivery, Settle, Settlement, SourceEvent, Subscribed};
use serde_json::{Value, json};

use super::answers::*;

/// A queue in which `count` messages come once, and whose deletions are answered by `delete`.
fn queue(count: usize, delete: impl Fn(&Value) -> Option<&'static str> + Send + Sync + 'static) -> Aws {
    let delivered = AtomicBool::new(false);
    Aws::with_queue(move |request| match request.operation.as_str() {
        "ReceiveMessage" if delivered.swap(true, Ordering::Relaxed) => Answer::Never,
        "ReceiveMessage" => messages(count),
        "DeleteMessageBatch" => {
            let entries = request.body["Entries"].as_array().unwrap();
            let failed: Vec<_> = entries
                .iter()
                .filter_map(|entry| {
                    let code = delete(&entry["ReceiptHandle"])?;
                    Some(json!({ "Id": entry["Id"], "Code": code, "SenderFault": code != "InternalError" }))
                })
                .collect();
            Answer::Is(200, json!({ "Successful": [], "Failed": failed }))
        }
        _ => Answer::Is(200, json!({})),
    })
}

async fn deliveries(aws: &Aws) -> (Subscribed, Vec<Delivery>) {
    let mut subscribed = aws.subscribe().await;
    let came = poll_fn(|cx| subscribed.source.poll_next(cx, DEMAND)).await.unwrap();
    let SourceEvent::Deliveries(deliveries) = came else { panic!("no deliveries: {came:?}") };
    (subscribed, deliveries)
}

fn acks(deliveries: &[Delivery]) -> Vec<Settlement> {
    deliveries.iter().map(|delivery| Settlement::new(delivery.token, Settle::Ack)).collect()
}

#[test]
fn a_deletion_that_fails_names_its_delivery_and_can_be_tried_again() {
    run(async {
        let fails = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&fails);
        let aws = queue(3, move |receipt| {
            (receipt == "r1" && still.load(Ordering::Relaxed)).then_some("InternalError")
        });
        let (subscribed, deliveries) = deliveries(&aws).await;
        assert_eq!(deliveries[0].attempt, 3);
        let failed = subscribed.settler.settle(acks(&deliveries)).await.unwrap_err().failed;
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].0.token, deliveries[1].token);
        assert!(failed[0].1.is_retryable(), "{}", failed[0].1);
        fails.store(false, Ordering::Relaxed);
        subscribed.settler.settle(acks(&deliveries)).await.unwrap();
        let sent: Vec<_> = aws
            .requests("DeleteMessageBatch")
            .iter()
            .map(|request| request.body["Entries"].as_array().unwrap().len())
            .collect();
        assert_eq!(sent, [3, 1], "what is settled is settled");
    });
}

#[test]
fn what_the_queue_has_taken_back_is_its_own() {
    run(async {
        let aws = queue(2, |receipt| (receipt == "r0").then_some("ReceiptHandleIsInvalid"));
        let (subscribed, deliveries) = deliveries(&aws).await;
        subscribed.settler.settle(acks(&deliveries)).await.unwrap();
        // Nothing more is said of a delivery whose time has passed.
        let aws = queue(2, |_| None);
        let (subscribed, deliveries) = self::deliveries(&aws).await;
        aws.env().sleep(Duration::from_secs(31)).await;
        subscribed.settler.settle(acks(&deliveries)).await.unwrap();
        assert_eq!(aws.requests("DeleteMessageBatch").len(), 0);
    });
}

#[test]
fn leaving_gives_back_without_waiting_for_the_long_poll() {
    run(async {
        let aws = queue(2, |_| None);
        let (subscribed, deliveries) = deliveries(&aws).await;
        subscribed.settler.settle(acks(&deliveries[..1])).await.unwrap();
        let before = aws.env().instant();
        subscribed.settler.leave(EVER).await.unwrap();
        assert_eq!(aws.env().instant(), before, "no time has passed on the virtual clock");
        let hidden = aws.requests("ChangeMessageVisibilityBatch");
        assert_eq!(hidden.len(), 1);
        assert_eq!(
            hidden[0].body["Entries"],
            json!([{ "Id": "0", "ReceiptHandle": "r1", "VisibilityTimeout": 0 }])
        );
    });
}

#[test]
fn a_retry_is_hidden_in_whole_seconds_and_for_no_longer_than_sqs_can() {
    run(async {
        let aws = queue(2, |_| None);
        let (subscribed, deliveries) = deliveries(&aws).await;
        aws.env().sleep(Duration::from_secs(10)).await;
        let after = [Duration::from_millis(1_200), Duration::from_hours(20)];
        let retries = deliveries.iter().zip(after);
        let retries =
            retries.map(|(delivery, after)| Settlement::new(delivery.token, Settle::Retry { after }));
        subscribed.settler.settle(retries.collect()).await.unwrap();
        let hidden = &aws.requests("ChangeMessageVisibilityBatch")[0].body["Entries"];
        assert_eq!(hidden[0]["VisibilityTimeout"], 2);
        // Twelve hours from when it was received, ten seconds of which have passed.
        assert_eq!(hidden[1]["VisibilityTimeout"], 43_200 - 10 - 1);
    });
}
