//! What our handlers give up is read by others.

use jitney::prelude::*;
use serde_json::json;

use super::peer::{Peer, Sent};
use crate::peers::article::EventEnvelope;

const TOPIC: &str = "PikaRefund-events";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "PikaRefund", id = id)]
struct RefundAsked {
    id: String,
}

#[handler(group = "refunds")]
async fn refuse(_: RefundAsked) -> Result<(), HandlerError> {
    Err(HandlerError::permanent("nobody may refund"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_has_the_message_and_the_reason() {
    let peer = Peer::find();
    let bus = peer.bus(TOPIC).await;
    let prefix = peer.own("dead");
    let app = App::new("refunding", bus).group_prefix(&prefix).handlers(handlers![refuse]);
    let app = app.spawn().await.unwrap();

    let id = peer.own("refund");
    let theirs = EventEnvelope::new("RefundAsked", "PikaRefund", &id, json!({ "id": id }));
    let body = serde_json::to_value(&theirs).unwrap();
    let properties = json!({ "message_id": theirs.event_id, "headers": { "tenant": "t-1" } });
    let routing_key = "PikaRefund.RefundAsked".to_owned();
    peer.publish(TOPIC, &[Sent { routing_key, properties, body: body.clone() }]);

    let letters = peer.read_queue(&format!("{prefix}.refunds.dead-letters"));
    let letter = letters.next_where(|seen| seen.body["aggregateId"] == id);
    assert_eq!(letter.body, body, "the body is untouched");
    assert_eq!(letter.headers["tenant"], "t-1");
    assert_eq!(letter.headers["jitney-dead-group"], format!("{prefix}.refunds"));
    assert_eq!(letter.headers["jitney-dead-topic"], TOPIC);
    let error = letter.headers["jitney-dead-error"].as_str().unwrap();
    assert!(error.contains("nobody may refund"), "{error}");
    app.shutdown().await.unwrap();
}
