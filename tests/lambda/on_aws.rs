//! A function on a bus of the server that stands in for AWS: fed with what its rule put into its queue.

use std::time::Duration;

use jitney::prelude::*;
use serde_json::{Value, json};

use super::apps::{OrderPlaced, on_aws};
use super::function::{Function, served};
use super::invocations::{batch, fails, orders};
use super::{peer, server};

/// What the queue called `name` has, as Lambda hands it over.
fn records(name: &str, count: usize) -> Vec<Value> {
    let asked = json!({
        "QueueUrl": peer::queue_url(name), "MaxNumberOfMessages": 10, "WaitTimeSeconds": 5,
        "AttributeNames": ["All"],
    });
    let mut records = Vec::new();
    while records.len() < count {
        let answer = server::call("AmazonSQS.ReceiveMessage", &asked);
        let came = answer["Messages"].as_array().unwrap_or_else(|| panic!("nothing came into {name}"));
        records.extend(came.iter().map(|message| {
            json!({
                "messageId": message["MessageId"], "body": message["Body"], "attributes": message["Attributes"],
                "messageAttributes": {}, "eventSource": "aws:sqs", "eventSourceARN": peer::queue_arn(name),
            })
        }));
    }
    records
}

#[test]
fn dead_letters_go_into_the_groups_queue_for_them() {
    if served() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let name = server::fresh("fn");
    server::call("AWSEvents.CreateEventBus", &json!({ "Name": name }));
    let bus = runtime.block_on(async {
        let bus = Bus::new(server::on_bus(&name, "").connect().await.unwrap());
        on_aws(&name, bus.clone()).provision().await.unwrap();
        for (id, how) in [("1", ""), ("2", "never")] {
            bus.publish(&OrderPlaced { order_id: id.to_owned(), how: how.to_owned() }).await.unwrap();
        }
        bus
    });
    let accepted = peer::tap(&name, &json!({ "detail-type": ["OrderAccepted"] }));
    let function = Function::start(&name);
    let records = records(&format!("{name}-billing"), 2);
    let bodies: Vec<_> = records.iter().map(|record| record["body"].as_str().unwrap().to_owned()).collect();
    assert_eq!(function.invoke(batch(records)), fails(&[]));
    assert_eq!(peer::bodies(&accepted)[0]["detail"]["orderId"], "1");
    let group = format!("{name}.billing");
    let letters = runtime.block_on(async { bus.admin().unwrap().dead_letters(&group, 10).await.unwrap() });
    assert_eq!(letters.len(), 1);
    assert!(bodies.contains(&String::from_utf8(letters[0].body.to_vec()).unwrap()), "untouched");
    assert_eq!(letters[0].header_str("jitney-dead-reason"), Some("permanent"));
    runtime.block_on(async { bus.close(Duration::from_secs(10)).await.unwrap() });
}

#[test]
fn a_dead_letter_whose_queue_is_missing_comes_again() {
    if served() {
        return;
    }
    let name = server::fresh("fn");
    server::call("AWSEvents.CreateEventBus", &json!({ "Name": name }));
    let function = Function::start(&name);
    let order = orders(&format!("{name}-billing"), &[("1", "never"), ("2", "")]);
    assert_eq!(function.invoke(order), fails(&["1"]));
}
