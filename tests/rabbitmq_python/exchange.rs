//! An order that begins in a service that publishes by pika, goes on in a handler of ours, and is read over there again.

use std::str::FromStr;

use jitney::prelude::*;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::peer::{PATIENCE, Peer, Sent};
use crate::peers::article::{EventEnvelope, EventMetadata, iso};

const TOPIC: &str = "PikaOrder-events";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "PikaOrder", id = order_id)]
#[serde(rename_all = "camelCase")]
struct OrderCreated {
    order_id: String,
    total: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "PikaOrder", id = order_id, version = "2")]
#[serde(rename_all = "camelCase")]
struct OrderAccepted {
    order_id: String,
    note: String,
}

type Created = UnboundedSender<Envelope<OrderCreated>>;

#[handler]
async fn accept(created: Envelope<OrderCreated>, State(seen): State<Created>) -> OrderAccepted {
    let order_id = created.order_id.clone();
    // The test may have what it wants.
    let _ = seen.send(created);
    OrderAccepted { order_id, note: "größer als „42“\n".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_goes_from_pika_to_a_handler_and_back() {
    let order = |theirs: &EventEnvelope| {
        json!({
            "content_type": "application/json",
            "delivery_mode": 2,
            "message_id": theirs.event_id,
            "correlation_id": theirs.metadata.correlation_id,
            "type": theirs.event_type,
            "timestamp": jiff::Timestamp::from_str(&theirs.timestamp).unwrap().as_second(),
            "app_id": "shop",
            "headers": { "tenant": "t-1" },
        })
    };
    goes_there_and_back(order).await;
}

/// The body says it all.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_properties_is_enough() {
    goes_there_and_back(|_| json!({})).await;
}

async fn goes_there_and_back(properties: impl Fn(&EventEnvelope) -> Value) {
    let peer = Peer::find();
    let bus = peer.bus(TOPIC).await;
    let reader = peer.read(TOPIC, "PikaOrder.OrderAccepted");
    let (seen, created) = unbounded_channel();
    let app = App::new("accepting", bus).group_prefix(&peer.own("accepting")).state(seen);
    let app = app.handlers(handlers![accept]).spawn().await.unwrap();

    let order_id = peer.own("größe/42");
    let payload = json!({ "orderId": order_id, "total": 99.5 });
    let theirs = EventEnvelope::new("OrderCreated", "PikaOrder", &order_id, payload);
    let sent = Sent {
        routing_key: "PikaOrder.OrderCreated".to_owned(),
        properties: properties(&theirs),
        body: serde_json::to_value(&theirs).unwrap(),
    };
    peer.publish(TOPIC, &[sent]);
    arrived(created, &theirs, &order_id).await;

    // Bound to one type of event, it reads nothing else.
    let ours = reader.next_where(|seen| seen.body["aggregateId"] == order_id);
    assert_eq!(ours.routing_key, "PikaOrder.OrderAccepted");
    let envelope: EventEnvelope = serde_json::from_value(ours.body).unwrap();
    let expected = EventEnvelope {
        event_id: envelope.event_id.clone(),
        event_type: "OrderAccepted".to_owned(),
        aggregate_id: order_id.clone(),
        aggregate_type: "PikaOrder".to_owned(),
        timestamp: envelope.timestamp.clone(),
        version: 2,
        payload: json!({ "orderId": order_id, "note": "größer als „42“\n" }),
        metadata: EventMetadata { causation_id: Some(theirs.event_id.clone()), ..theirs.metadata.clone() },
    };
    assert_eq!(envelope, expected);
    assert_ne!(envelope.event_id, theirs.event_id);
    let expected = json!({
        "content_type": "application/json",
        "delivery_mode": 2,
        "message_id": envelope.event_id,
        "correlation_id": theirs.metadata.correlation_id,
        "timestamp": jiff::Timestamp::from_str(&envelope.timestamp).unwrap().as_second(),
        "type": "OrderAccepted",
        "app_id": "accepting",
    });
    assert_eq!(ours.properties, expected);
    assert_eq!(ours.headers["event-type"], "OrderAccepted");
    assert_eq!(ours.headers["correlation-id"], theirs.metadata.correlation_id);
    app.shutdown().await.unwrap();
}

/// What the handler gets of `theirs`.
async fn arrived(
    mut created: UnboundedReceiver<Envelope<OrderCreated>>,
    theirs: &EventEnvelope,
    order_id: &str,
) {
    let env = jitney::Env::system();
    let came = loop {
        // Other tests use the exchange too.
        let came = env.timeout(PATIENCE, created.recv()).await.unwrap().unwrap();
        if came.order_id == order_id {
            break came;
        }
    };
    let head = came.head();
    assert_eq!((came.event_id().to_string(), came.event_type()), (theirs.event_id.clone(), "OrderCreated"));
    assert_eq!((came.aggregate_type(), came.aggregate_id()), ("PikaOrder", order_id));
    assert_eq!(iso(came.time().as_millisecond()), theirs.timestamp);
    assert_eq!((came.version().to_string(), came.sequence()), ("1.0".to_owned(), None));
    assert_eq!(came.correlation_id().to_string(), theirs.metadata.correlation_id);
    assert_eq!((head.metadata.user_id.as_deref(), &head.metadata.causation_id), (Some("u-1"), &None));
    assert_eq!(came.payload(), &OrderCreated { order_id: order_id.to_owned(), total: 99.5 });
}
