//! What EventBridge would refuse is refused before it is sent, with the event's name and the fix.

use jitney_core::ErrorKind;
use jitney_core::message::{Header, Outbound};
use jitney_core::transport::Transport;
use serde_json::{Value, json};

use super::answers::*;

/// Publishes three events, the second one changed by `change`, and answers why that one was rejected.
fn refused(change: impl Fn(&mut Outbound)) -> String {
    run(async {
        let aws = Aws::new(|request| put(request, |_| None));
        let bridge = aws.connect().await;
        let mut batch = events(aws.env(), 3);
        change(&mut batch[1]);
        let mut answers = bridge.publish(batch).await;
        assert_eq!(answers.iter().map(word).collect::<Vec<_>>(), ["acked", "rejected", "acked"]);
        let requests = aws.requests("PutEvents");
        assert_eq!(requests.iter().flat_map(ids_of).collect::<Vec<_>>(), ["e0", "e2"], "it was sent");
        let error = answers.remove(1).into_result().unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Rejected, false));
        error.to_string()
    })
}

fn attributes(outbound: &mut Outbound) -> &mut jitney_core::message::Attributes {
    outbound.attributes.as_mut().unwrap()
}

#[test]
fn a_detail_that_is_no_object_is_refused() {
    for body in ["[1]", "7", "", "{", "{\"a\":1} x"] {
        let text = refused(|outbound| outbound.message.body = body.into());
        assert!(text.contains("`OrderCreated` e1 to bus `orders`: its detail is no JSON object"), "{text}");
    }
}

#[test]
fn a_detail_type_has_1_to_128_characters() {
    for (name, is_taken) in [("é".repeat(128), true), ("é".repeat(129), false), (String::new(), false)] {
        let rename = |outbound: &mut Outbound| attributes(outbound).event_type = name.clone().into();
        if is_taken {
            run(async {
                let aws = Aws::new(|request| put(request, |_| None));
                let mut batch = events(aws.env(), 1);
                rename(&mut batch[0]);
                assert_eq!(outcomes(&aws.connect().await, batch).await, ["acked"]);
            });
        } else {
            assert!(refused(rename).contains("1 to 128 are allowed"));
        }
    }
}

#[test]
fn a_source_does_not_begin_with_aws() {
    let text = refused(|outbound| attributes(outbound).service = "aws.orders".into());
    assert!(text.contains("`aws.orders.Order` begins with `aws.`"), "{text}");
}

#[test]
fn what_is_no_text_has_no_place() {
    let text = refused(|outbound| outbound.message.key = Some((&b"\xff"[..]).into()));
    assert!(text.contains("its key is not UTF-8") && text.contains("base64"), "{text}");
    let text = refused(|outbound| outbound.message.headers.push(Header::new("raw", &b"\xff"[..])));
    assert!(text.contains("header `raw` is not UTF-8"), "{text}");
}

#[test]
fn an_entry_that_is_too_large_is_refused_by_what_aws_counts() {
    // Within the limit of messages, but each quote in the header counts twice in JSON.
    let text = refused(|outbound| outbound.message.headers.push(Header::new("quotes", "\"".repeat(600_000))));
    assert!(text.contains("its entry has 1200") && text.contains("reference"), "{text}");
    let text = refused(|outbound| outbound.message.headers.push(Header::new("long", "x".repeat(990_000))));
    assert!(text.contains("the message has 99") && text.contains("reference"), "{text}");
}

#[test]
fn requests_are_cut_by_ten_entries_and_by_bytes() {
    run(async {
        let aws = Aws::new(|request| put(request, |_| None));
        let bridge = aws.connect().await;
        let sizes = [300_000, 300_000, 300_000, 300_000, 900_000, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
        let batch =
            sizes.iter().enumerate().map(|(number, size)| event(aws.env(), &format!("e{number}"), *size));
        assert_eq!(outcomes(&bridge, batch.collect()).await, ["acked"; 17]);
        let size = |entry: &Value| {
            let text = |name: &str| entry[name].as_str().map_or(0, str::len);
            14 + text("Source") + text("DetailType") + text("Detail")
        };
        let mut counts = Vec::new();
        for request in aws.requests("PutEvents") {
            let entries = request.body["Entries"].as_array().unwrap();
            assert!(entries.iter().map(size).sum::<usize>() <= 1_000_000);
            counts.push(entries.len());
        }
        assert_eq!(counts, [3, 1, 10, 3]);
    });
}

#[test]
fn a_message_that_is_passed_on_unread_says_what_it_is_by_headers() {
    run(async {
        let aws = Aws::new(|request| put(request, |_| None));
        let bridge = aws.connect().await;
        let mut bare = event(aws.env(), "e0", 1);
        bare.attributes = None;
        bare.message.headers.clear();
        let error = bridge.publish_one(bare.clone()).await.into_result().unwrap_err().to_string();
        assert!(
            error.contains("a message of topic `Order-events`") && error.contains("`eventbridge-source`"),
            "{error}"
        );
        bare.message.headers =
            vec![Header::new("eventbridge-source", "shop.Order"), Header::new("event-type", "OrderCreated")];
        assert_eq!(word(&bridge.publish_one(bare).await), "acked");
        let entry = &aws.requests("PutEvents")[0].body["Entries"][0];
        assert_eq!((&entry["Source"], &entry["DetailType"]), (&json!("shop.Order"), &json!("OrderCreated")));
        assert_eq!(entry["EventBusName"], "orders");
    });
}
