//! What the document says, and what AsyncAPI's parser says of it.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::document::document;
use super::install;

#[tokio::test]
async fn every_live_version_is_a_message_of_its_channel() {
    let document = document();
    let channel = &document["channels"]["Order-events"];
    let names: Vec<_> = channel["messages"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["Order.Placed.1.0", "Order.Placed.2.1"]);
    assert_eq!(channel["bindings"]["kafka"]["topic"], "Order-events");
    assert_eq!(channel["bindings"]["amqp"]["exchange"]["name"], "Order-events");
    let receive = &document["operations"]["receive.shop.billing.Order-events"];
    assert_eq!(receive["bindings"]["kafka"]["groupId"]["const"], "shop.billing");
    assert_eq!(receive["messages"].as_array().unwrap().len(), 2);
    assert_eq!(document["operations"]["send.Payment-events"]["action"], "send");
    let payload = &document["components"]["messages"]["Order.Placed.2.1"]["payload"]["properties"];
    assert_eq!(payload["version"]["const"], 2);
    assert!(payload["payload"]["$ref"].is_string(), "{payload}");
}

/// What the parser answers: its diagnostics, and the messages by channel that it found.
fn parsed(document: &Value) -> Option<Value> {
    let program = install::or_skipped(install::script("asyncapi_parser", "parse.mjs"), "asyncapi")?;
    let mut child =
        Command::new("node").arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn the_official_parser_takes_it() {
    let mut document = document();
    let Some(answer) = parsed(&document) else { return };
    assert_eq!(answer["errors"], json!([]));
    let messages = json!({
        "Order-events": ["Order.Placed.1.0", "Order.Placed.2.1"],
        "Payment-events": ["Payment.Taken.1.0"],
    });
    assert_eq!(answer["messages"], messages);
    // It says so when something is wrong.
    document["operations"]["send.Payment-events"]["action"] = json!("give");
    assert_ne!(parsed(&document).unwrap()["errors"], json!([]));
}
