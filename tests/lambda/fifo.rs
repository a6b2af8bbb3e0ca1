//! Queues that keep an order.

use serde_json::json;

use super::function::{Function, served};
use super::invocations::{batch, fails, order, record};

/// Orders with a message group each, in a queue called so.
fn batch_of(queue: &str) -> serde_json::Value {
    let all = [("a1", ""), ("b1", ""), ("a2", "later"), ("b2", "never"), ("a3", ""), ("b3", ""), ("c1", "")];
    batch(all.iter().map(|(id, how)| {
        let mut record = record(queue, id, order(id, how).to_string());
        record["attributes"]["MessageGroupId"] = json!(&id[..1]);
        record
    }))
}

#[test]
fn behind_a_failure_its_message_group_comes_again() {
    if served() {
        return;
    }
    let function = Function::start("billing");
    assert_eq!(function.invoke(batch_of("orders-billing.fifo")), fails(&["a2", "a3"]));
}

#[test]
fn a_queue_without_order_gives_back_what_failed_alone() {
    if served() {
        return;
    }
    let function = Function::start("billing");
    assert_eq!(function.invoke(batch_of("orders-billing")), fails(&["a2"]));
}
