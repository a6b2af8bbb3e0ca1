//! A topic of the article's event store, whose `version` is the place in the aggregate's stream.

use jitney::codec::NativeJson;
use jitney::event::Version;
use jitney::prelude::*;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::output::PATIENCE;
use super::peer::Peer;
use crate::peers::article::EventEnvelope;

const TOPIC: &str = "ArticleStream-events";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "ArticleStream", id = id)]
struct Counted {
    id: String,
}

#[handler]
async fn count(counted: Envelope<Counted>, State(seen): State<UnboundedSender<Envelope<Counted>>>) {
    // The test may have what it wants.
    let _ = seen.send(counted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_in_the_stream_is_no_schema_version() {
    let Some(peer) = Peer::find() else { return };
    drop(peer.bus(TOPIC, 4).await);
    let kafka = jitney::kafka::Kafka::from_url(peer.url()).await.unwrap();
    let bus = Bus::builder(kafka).codec(NativeJson::version_is_sequence()).build();
    let env = bus.env().clone();
    let (seen, mut counted) = unbounded_channel::<Envelope<Counted>>();
    let app = App::new("counting", bus).group_prefix(&peer.own("counting")).state(seen);
    let app = app.handlers(handlers![count]).spawn().await.unwrap();

    let id = peer.own("stream");
    let place = |version| {
        let event = EventEnvelope::new("Counted", "ArticleStream", &id, json!({ "id": id }));
        EventEnvelope { version, ..event }
    };
    peer.produce(TOPIC, &[place(1), place(2), place(3)]);
    let mut places = Vec::new();
    while places.len() < 3 {
        let came = env.timeout(PATIENCE, counted.recv()).await.unwrap().unwrap();
        // The topic may have events of earlier runs.
        if came.id == id {
            assert_eq!(came.version(), Version::new(1, 0));
            places.push(came.sequence());
        }
    }
    assert_eq!(places, [Some(1), Some(2), Some(3)]);
    app.shutdown().await.unwrap();
}
