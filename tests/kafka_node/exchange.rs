//! An order that begins in a service of the article, goes on in a handler of ours, and is read over there again.

use jitney::prelude::*;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::output::PATIENCE;
use super::peer::Peer;
use crate::peers::article::{EventEnvelope, EventMetadata, iso};

const TOPIC: &str = "ArticleOrder-events";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "ArticleOrder", id = order_id)]
#[serde(rename_all = "camelCase")]
struct OrderCreated {
    order_id: String,
    customer_id: String,
    total: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "ArticleOrder", id = order_id, version = "2")]
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
async fn an_order_goes_from_kafkajs_to_a_handler_and_back() {
    let Some(peer) = Peer::find() else { return };
    let bus = peer.bus(TOPIC, 4).await;
    let env = bus.env().clone();
    let (seen, mut created) = unbounded_channel::<Envelope<OrderCreated>>();
    let app = App::new("accepting", bus).group_prefix(&peer.own("accepting")).state(seen);
    let app = app.handlers(handlers![accept]).spawn().await.unwrap();

    let order_id = peer.own("größe/42");
    let payload = json!({ "orderId": order_id, "customerId": "c-7", "total": 99.5 });
    let theirs = EventEnvelope::new("OrderCreated", "ArticleOrder", &order_id, payload);
    peer.produce(TOPIC, std::slice::from_ref(&theirs));

    let came = loop {
        // The topic may have orders of earlier runs.
        let came = env.timeout(PATIENCE, created.recv()).await.unwrap().unwrap();
        if came.order_id == order_id {
            break came;
        }
    };
    let head = came.head();
    assert_eq!((came.event_id().to_string(), came.event_type()), (theirs.event_id.clone(), "OrderCreated"));
    assert_eq!((came.aggregate_type(), came.aggregate_id()), ("ArticleOrder", &*order_id));
    assert_eq!(iso(came.time().as_millisecond()), theirs.timestamp);
    assert_eq!((came.version().to_string(), came.sequence()), ("1.0".to_owned(), None));
    assert_eq!(came.correlation_id().to_string(), theirs.metadata.correlation_id);
    assert_eq!((head.metadata.user_id.as_deref(), &head.metadata.causation_id), (Some("u-1"), &None));
    let payload = OrderCreated { order_id: order_id.clone(), customer_id: "c-7".to_owned(), total: 99.5 };
    assert_eq!(came.payload(), &payload);

    let mut reader = peer.read(TOPIC, usize::MAX);
    let mut all = std::iter::repeat_with(|| reader.next());
    let ours =
        all.find(|seen| seen.key == order_id && seen.headers["event-type"] == "OrderAccepted").unwrap();
    let envelope: EventEnvelope = serde_json::from_value(ours.value).unwrap();
    let expected = EventEnvelope {
        event_id: envelope.event_id.clone(),
        event_type: "OrderAccepted".to_owned(),
        aggregate_id: order_id.clone(),
        aggregate_type: "ArticleOrder".to_owned(),
        timestamp: iso(ours.timestamp),
        version: 2,
        payload: json!({ "orderId": order_id, "note": "größer als „42“\n" }),
        metadata: EventMetadata { causation_id: Some(theirs.event_id.clone()), ..theirs.metadata.clone() },
    };
    assert_eq!(envelope, expected);
    assert_ne!(envelope.event_id, theirs.event_id);
    assert_eq!(ours.headers["correlation-id"], theirs.metadata.correlation_id);
    app.shutdown().await.unwrap();
}
