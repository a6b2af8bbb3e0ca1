//! More events than one request takes.

use std::collections::BTreeSet;

use jitney::prelude::*;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::output::PATIENCE;
use super::peer::{Event, Peer};

const COUNT: u64 = 25;

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Meter", id = meter)]
struct Read {
    meter: String,
    value: u64,
}

#[handler]
async fn note(read: Read, State(seen): State<UnboundedSender<u64>>) {
    // The test may have what it wants.
    let _ = seen.send(read.value);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_the_articles_publisher_sends_is_handled() {
    let Some(peer) = Peer::find() else { return };
    let bus = peer.bus().await;
    let env = bus.env().clone();
    let (seen, mut noted) = unbounded_channel();
    let app = App::new(&peer.own("noting"), bus).state(seen).handlers(handlers![note]).spawn().await.unwrap();
    let theirs = (0..COUNT).map(|value| Event {
        event_type: "Read".to_owned(),
        aggregate_type: "Meter".to_owned(),
        timestamp: env.now().to_string(),
        payload: json!({ "meter": "m-1", "value": value }),
        metadata: json!({ "correlationId": format!("chain-{value}") }),
    });
    peer.publish("meter-service", &theirs.collect::<Vec<_>>());
    let mut values = BTreeSet::new();
    while values.len() < COUNT.try_into().unwrap() {
        values.insert(env.timeout(PATIENCE, noted.recv()).await.unwrap().unwrap());
    }
    assert_eq!(values, (0..COUNT).collect());
    app.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_we_publish_is_read_by_the_articles_handler() {
    let Some(peer) = Peer::find() else { return };
    let bus = peer.bus().await.with_service("meters");
    let count = COUNT.try_into().unwrap();
    let mut reader = peer.read(&json!({ "source": ["meters.Meter"] }), count);
    let ours: Vec<_> = (0..COUNT).map(|value| Read { meter: format!("m-{value}"), value }).collect();
    let ids = bus.publish_all(&ours).await.unwrap();
    let mut seen = BTreeSet::new();
    while seen.len() < count {
        let read = reader.next();
        let value = read.payload["value"].as_u64().unwrap();
        assert_eq!(read.payload, json!({ "meter": format!("m-{value}"), "value": value }));
        assert_eq!(read.metadata["eventId"], ids[usize::try_from(value).unwrap()].to_string());
        seen.insert(value);
    }
}
