//! A key has one partition, whoever publishes.

use std::collections::{BTreeMap, BTreeSet};

use jitney::message::{Message, Outbound, Topic};
use serde_json::json;

use super::peer::Peer;
use crate::peers::article::EventEnvelope;

const KEYS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn kafkajs_and_we_put_a_key_on_the_same_partition() {
    let Some(peer) = Peer::find() else { return };
    let topic = peer.own("keys");
    let bus = peer.bus(&topic, 7).await;
    let keys: Vec<_> = (0..KEYS).map(|number| format!("{}größe-{number}", "k".repeat(number % 9))).collect();

    let theirs: Vec<_> =
        keys.iter().map(|key| EventEnvelope::new("Theirs", "Keys", key, json!({ "by": "them" }))).collect();
    peer.produce(&topic, &theirs);
    let ours = keys.iter().map(|key| Outbound {
        message: Message {
            topic: Topic::from(topic.clone()),
            key: Some(key.clone().into()),
            headers: Vec::new(),
            time: bus.env().now(),
            body: r#"{"payload":{"by":"us"}}"#.into(),
        },
        attributes: None,
    });
    for published in bus.transport().publish(ours.collect()).await {
        published.into_result().unwrap();
    }

    let mut reader = peer.read(&topic, 2 * KEYS);
    let mut partitions: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for _ in 0..2 * KEYS {
        let seen = reader.next();
        let by = seen.value["payload"]["by"].as_str().unwrap().to_owned();
        partitions.entry(seen.key).or_default().insert(by, seen.partition);
    }
    assert_eq!(partitions.len(), KEYS);
    for (key, by) in &partitions {
        assert_eq!(by.len(), 2, "{key}: {by:?}");
        assert_eq!(by["us"], by["them"], "{key}");
    }
    let used: BTreeSet<_> = partitions.values().map(|by| by["us"]).collect();
    assert_eq!(used.len(), 7, "keys spread over every partition");
}
