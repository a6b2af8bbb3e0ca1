//! Events that a rule hands to the function itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::function::{Function, served};
use super::invocations::{event, order};
use super::runtime_api::Heard;

const DONE: Heard = Heard::Answered(Value::Null);

/// What the error of an invocation says.
fn failure(heard: Heard) -> String {
    match heard {
        Heard::Failed(error) => error["errorMessage"].as_str().unwrap().to_owned(),
        other => panic!("{other:?} is no failure"),
    }
}

#[test]
fn an_event_is_handled_with_its_outputs_before_the_answer() {
    if served() {
        return;
    }
    let function = Function::start("billing");
    assert_eq!(function.invoke(order("1", "")), DONE);
    let said = |line: &str| Heard::Said(line.to_owned());
    let wanted = [said("start"), said("billing 1"), said("published OrderAccepted"), DONE];
    assert_eq!(function.api.heard(), wanted);
}

#[test]
fn an_event_of_an_aws_service_is_handled_as_it_came() {
    if served() {
        return;
    }
    let function = Function::start("intake");
    let mut created =
        event("aws.s3", "Object Created", &json!({ "version": "0", "bucket": { "name": "photos" } }));
    created["resources"] = json!(["arn:aws:s3:::photos"]);
    assert_eq!(function.invoke(created), DONE);
    let wanted = "17793124-05d4-b198-2fde-7ededc63b103 arn:aws:s3:::photos in photos";
    assert_eq!(function.api.said(), ["start", wanted]);
}

#[test]
fn an_event_that_is_not_done_fails_the_invocation() {
    if served() {
        return;
    }
    let function = Function::start("billing");
    let later = failure(function.invoke(order("1", "later")));
    assert!(later.contains("orders.billing") && later.contains("again"), "{later}");
    let slow = failure(function.api.invoke(order("2", "slow"), Duration::from_secs(1)));
    assert!(slow.contains("time-out"), "{slow}");
    assert_eq!(function.invoke(order("3", "never")), DONE, "its dead letter is stored");
}

#[test]
fn an_event_goes_to_every_group_that_takes_it_and_fails_with_one_of_them() {
    if served() {
        return;
    }
    let function = Function::start("billing and audit");
    let cancelled = event("shop.Order", "OrderCancelled", &json!({ "orderId": "9", "metadata": {} }));
    assert_eq!(function.invoke(cancelled), DONE);
    assert_eq!(function.api.said()[1..], ["audit of cancelled 9"]);
    assert_eq!(function.invoke(order("1", "")), DONE);
    let mut said = function.api.said()[2..].to_vec();
    said.sort_unstable();
    assert_eq!(said, ["audit 1", "billing 1", "published OrderAccepted"]);
    let unaudited = failure(function.invoke(order("2", "unaudited")));
    assert!(unaudited.contains("orders.audit"), "{unaudited}");
    assert!(function.api.said().contains(&"billing 2".to_owned()));
    let nobodys = event("shop.Order", "OrderForgotten", &json!({ "orderId": "3", "metadata": {} }));
    assert_eq!(function.invoke(nobodys), DONE, "it is skipped");
}

#[test]
fn what_is_neither_an_event_nor_a_batch_says_what_is_expected() {
    if served() {
        return;
    }
    let function = Function::start("billing");
    let sns = json!({ "Records": [{ "EventSource": "aws:sns", "Sns": { "Message": "x" } }] });
    for odd in [json!({}), json!(null), json!({ "orderId": "1" }), sns] {
        let error = failure(function.invoke(odd));
        assert!(error.contains("`detail-type`") && error.contains("\"aws:sqs\""), "{error}");
    }
    assert_eq!(function.invoke(order("1", "")), DONE, "the function serves on");
}
