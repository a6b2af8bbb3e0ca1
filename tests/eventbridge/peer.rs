//! A publisher and a reader that are none of ours.

use serde_json::{Value, json};

use super::server::{call, fresh};

/// Puts one event onto `bus`, as somebody else's publisher does.
pub(crate) fn put(bus: &str, source: &str, detail_type: &str, detail: &Value) {
    let entry = json!({
        "EventBusName": bus, "Source": source, "DetailType": detail_type, "Detail": detail.to_string(),
    });
    let answer = call("AWSEvents.PutEvents", &json!({ "Entries": [entry] }));
    assert_eq!(answer["FailedEntryCount"], 0, "{answer}");
}

/// The URL of the queue called `name`.
pub(crate) fn queue_url(name: &str) -> Value {
    call("AmazonSQS.GetQueueUrl", &json!({ "QueueName": name }))["QueueUrl"].take()
}

/// Sends a body to the queue called `name`, past all rules.
pub(crate) fn send(name: &str, body: &str) {
    call("AmazonSQS.SendMessage", &json!({ "QueueUrl": queue_url(name), "MessageBody": body }));
}

/// Has everything on `bus` that `pattern` matches come into a queue of nobody's; answers the queue's name.
pub(crate) fn tap(bus: &str, pattern: &Value) -> String {
    let name = fresh("tap");
    call("AmazonSQS.CreateQueue", &json!({ "QueueName": name }));
    let rule = json!({ "Name": name, "EventBusName": bus, "EventPattern": pattern.to_string() });
    call("AWSEvents.PutRule", &rule);
    let target = json!({ "Id": "tap", "Arn": queue_arn(&name) });
    call("AWSEvents.PutTargets", &json!({ "Rule": name, "EventBusName": bus, "Targets": [target] }));
    name
}

/// The ARN of the queue called `name`.
pub(crate) fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

/// Up to ten bodies in the queue called `name`, of which one must come.
pub(crate) fn bodies(name: &str) -> Vec<Value> {
    let asked = json!({ "QueueUrl": queue_url(name), "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20 });
    let answer = call("AmazonSQS.ReceiveMessage", &asked);
    let messages = answer["Messages"].as_array().unwrap_or_else(|| panic!("nothing came into {name}"));
    let body = |message: &Value| message["Body"].as_str().and_then(|body| serde_json::from_str(body).ok());
    messages.iter().map(|message| body(message).expect("a body is JSON")).collect()
}
