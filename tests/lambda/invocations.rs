//! What EventBridge and SQS invoke functions with.

use serde_json::{Value, json};

use super::runtime_api::Heard;

/// An event, as a rule hands it to its target.
pub(crate) fn event(source: &str, detail_type: &str, detail: &Value) -> Value {
    json!({
        "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": detail_type, "source": source,
        "account": "000000000000", "time": "2026-11-12T00:00:00Z", "region": "us-east-1", "resources": [],
        "detail": detail,
    })
}

/// An order, which the handlers treat as `how` says.
pub(crate) fn order(id: &str, how: &str) -> Value {
    event(
        "shop.Order",
        "OrderPlaced",
        &json!({ "orderId": id, "how": how, "metadata": { "correlationId": "c-1" } }),
    )
}

/// A message of the queue called `queue`, delivered for the first time.
pub(crate) fn record(queue: &str, id: &str, body: impl Into<String>) -> Value {
    json!({
        "messageId": id, "receiptHandle": "r", "body": body.into(),
        "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1767312245678" },
        "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{queue}"), "awsRegion": "us-east-1",
    })
}

/// A batch of messages.
pub(crate) fn batch(records: impl IntoIterator<Item = Value>) -> Value {
    json!({ "Records": records.into_iter().collect::<Vec<_>>() })
}

/// A batch of orders in `queue`, each with its id as the message's.
pub(crate) fn orders(queue: &str, orders: &[(&str, &str)]) -> Value {
    batch(orders.iter().map(|(id, how)| record(queue, id, order(id, how).to_string())))
}

/// The answer that has exactly these records delivered again.
pub(crate) fn fails(ids: &[&str]) -> Heard {
    let failures: Vec<_> = ids.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    Heard::Answered(json!({ "batchItemFailures": failures }))
}
