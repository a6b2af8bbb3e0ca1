//! Batches of a queue.

use std::time::Duration;

use serde_json::json;

use super::function::{Function, served};
use super::invocations::{batch, fails, order, orders, record};
use super::runtime_api::Heard;

const QUEUE: &str = "orders-billing";

#[test]
fn nothing_comes_again_of_a_batch_that_is_handled() {
    if served() {
        return;
    }
    let function = Function::start("billing");
    assert_eq!(function.invoke(orders(QUEUE, &[("1", ""), ("2", ""), ("3", "")])), fails(&[]));
    assert_eq!(function.invoke(batch([])), fails(&[]));
    let mut said = function.api.said();
    assert_eq!(said.remove(0), "start", "hooks run at the cold start, once");
    said.retain(|line| line.starts_with("billing"));
    said.sort_unstable();
    assert_eq!(said, ["billing 1", "billing 2", "billing 3"]);
}

#[test]
fn outputs_are_published_before_the_answer() {
    if served() {
        return;
    }
    let function = Function::start("billing");
    assert_eq!(function.invoke(orders(QUEUE, &[("1", "")])), fails(&[]));
    let said = |line: &str| Heard::Said(line.to_owned());
    let wanted = [said("start"), said("billing 1"), said("published OrderAccepted"), fails(&[])];
    assert_eq!(function.api.heard(), wanted);
}

#[test]
fn one_of_ten_fails_and_comes_again_alone() {
    if served() {
        return;
    }
    let function = Function::start("billing");
    let ids: Vec<_> = (0..10).map(|number| number.to_string()).collect();
    let all: Vec<_> = ids.iter().map(|id| (&**id, if id == "6" { "later" } else { "" })).collect();
    assert_eq!(function.invoke(orders(QUEUE, &all)), fails(&["6"]));
    let handled = function.api.said().iter().filter(|line| line.starts_with("billing")).count();
    assert_eq!(handled, 9);
}

#[test]
fn the_last_delivery_of_an_order_that_keeps_failing_becomes_a_dead_letter() {
    if served() {
        return;
    }
    let function = Function::start("billing");
    let deliver = |times: &str| {
        let mut record = record(QUEUE, "1", order("1", "later").to_string());
        record["attributes"]["ApproximateReceiveCount"] = json!(times);
        function.invoke(batch([record]))
    };
    assert_eq!(deliver("1"), fails(&["1"]));
    assert_eq!(deliver("2"), fails(&["1"]));
    assert_eq!(deliver("3"), fails(&[]));
    let said = function.api.said();
    assert_eq!(said[1..], ["dead letter of orders.billing: exhausted: not now"]);
}

#[test]
fn what_cannot_be_read_or_handled_becomes_a_dead_letter_and_is_done() {
    if served() {
        return;
    }
    let function = Function::start("billing");
    let records = [
        record(QUEUE, "1", "no JSON at all"),
        record(QUEUE, "2", order("2", "never").to_string()),
        record(QUEUE, "3", order("3", "").to_string()),
    ];
    assert_eq!(function.invoke(batch(records)), fails(&[]));
    let said = function.api.said();
    let dead: Vec<_> = said.iter().filter(|line| line.starts_with("dead letter")).collect();
    assert_eq!(dead.len(), 2, "{said:?}");
    assert!(
        dead.iter().any(|line| line.starts_with("dead letter of orders.billing: undecodable")),
        "{dead:?}"
    );
    assert!(
        dead.iter().any(|line| **line == "dead letter of orders.billing: permanent: not at all"),
        "{dead:?}"
    );
}

#[test]
fn a_dead_letter_that_has_no_place_comes_again() {
    if served() {
        return;
    }
    let function = Function::start("without a place for dead letters");
    assert_eq!(function.invoke(orders(QUEUE, &[("1", "never"), ("2", "")])), fails(&["1"]));
    assert!(!function.api.said().iter().any(|line| line.starts_with("dead letter")), "it is not stored");
}

#[test]
fn what_is_not_handled_before_the_deadline_comes_again() {
    if served() {
        return;
    }
    let function = Function::start("billing");
    let two = orders(QUEUE, &[("1", ""), ("2", "slow")]);
    assert_eq!(function.api.invoke(two, Duration::from_secs(6)), fails(&["2"]));
    let late = function.api.invoke(orders(QUEUE, &[("3", "slow"), ("4", "slow")]), Duration::ZERO);
    assert_eq!(late, fails(&["3", "4"]));
    assert_eq!(function.invoke(orders(QUEUE, &[("5", "")])), fails(&[]), "the function serves on");
}

#[test]
fn a_record_goes_to_the_group_whose_queue_it_is_from() {
    if served() {
        return;
    }
    let function = Function::start("billing and audit");
    assert_eq!(function.invoke(orders("orders-audit", &[("1", "")])), fails(&[]));
    assert_eq!(function.invoke(orders("orders-billing", &[("2", "unaudited")])), fails(&[]));
    assert_eq!(function.api.said(), ["start", "audit 1", "billing 2", "published OrderAccepted"]);
    let Heard::Failed(error) = function.invoke(orders("returns", &[("3", "")])) else { panic!("no error") };
    let message = error["errorMessage"].as_str().unwrap();
    for part in ["`returns`", "`orders-audit` for group `orders.audit`", "`orders-billing`"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_handler_that_panics_leaves_the_others_alone() {
    if served() {
        return;
    }
    let function = Function::start("billing");
    assert_eq!(function.invoke(orders(QUEUE, &[("1", "panic"), ("2", "")])), fails(&["1"]));
}
