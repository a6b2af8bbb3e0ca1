//! An order that begins in a service of the article, goes on in a handler of ours, and is read over there again.

use jitney::prelude::*;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::output::PATIENCE;
use super::peer::{Event, Peer};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
#[serde(rename_all = "camelCase")]
struct OrderCreated {
    order_id: String,
    customer_id: String,
    total: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, version = "2")]
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
async fn an_order_goes_from_the_articles_publisher_to_a_handler_and_back() {
    let Some(peer) = Peer::find() else { return };
    let bus = peer.bus().await;
    let env = bus.env().clone();
    let (seen, mut created) = unbounded_channel::<Envelope<OrderCreated>>();
    let service = peer.own("accepting");
    let app = App::new(&service, bus).state(seen).handlers(handlers![accept]).spawn().await.unwrap();
    let mut reader = peer.read(&json!({ "detail-type": ["OrderAccepted"] }), 1);

    let before = env.now();
    let theirs = Event {
        event_type: "OrderCreated".to_owned(),
        aggregate_type: "Order".to_owned(),
        timestamp: before.to_string(),
        payload: json!({ "orderId": "größe/42", "customerId": "c-7", "total": 99.5 }),
        metadata: json!({ "userId": "u-1", "correlationId": "chain-1", "causationId": "cause-1" }),
    };
    peer.publish("order-service", std::slice::from_ref(&theirs));

    let came = env.timeout(PATIENCE, created.recv()).await.unwrap().unwrap();
    let head = came.head();
    assert_eq!((came.event_type(), came.aggregate_type()), ("OrderCreated", "Order"));
    assert_eq!((came.version().to_string(), came.sequence()), ("1.0".to_owned(), None));
    assert_eq!(head.metadata.user_id.as_deref(), Some("u-1"));
    assert_eq!(came.correlation_id().to_string(), "chain-1");
    assert_eq!(head.metadata.causation_id.as_ref().map(ToString::to_string).as_deref(), Some("cause-1"));
    // EventBridge says it in whole seconds.
    assert!((before.as_second()..=env.now().as_second()).contains(&came.time().as_second()));
    let customer_id = "c-7".to_owned();
    let payload = OrderCreated { order_id: "größe/42".to_owned(), customer_id, total: 99.5 };
    assert_eq!(came.payload(), &payload);

    let ours = reader.next();
    assert_eq!((ours.source, ours.detail_type), (format!("{service}.Order"), "OrderAccepted".to_owned()));
    assert_eq!(ours.payload, json!({ "orderId": "größe/42", "note": "größer als „42“\n" }));
    let told = |name: &str| ours.metadata[name].as_str();
    assert_eq!((told("userId"), told("correlationId")), (Some("u-1"), Some("chain-1")));
    assert_eq!(told("causationId"), Some(&*came.event_id().to_string()));
    let time: jiff::Timestamp = ours.time.parse().unwrap();
    assert!((before.as_second()..=env.now().as_second()).contains(&time.as_second()), "{time}");
    app.shutdown().await.unwrap();
}
