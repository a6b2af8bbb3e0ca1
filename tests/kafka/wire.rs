//! The format on the wire: what services in other languages read and write.

use jitney::prelude::*;
use jitney::transport::Start;

use super::broker::{Broker, Record, fresh};
use super::service::{Log, app_on, bus, until};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsParcel", id = parcel, version = "2.1")]
struct Sent {
    parcel: String,
    to: String,
}

const TOPIC: &str = "JitneyTestsParcel-events";
const PARTITIONS: i32 = 7;

async fn broker() -> Broker {
    let broker = Broker::connect();
    broker.ensure(TOPIC, PARTITIONS, &[]).await;
    broker
}

/// Java's `org.apache.kafka.common.utils.Utils.murmur2`, as the default partitioner uses it.
fn java_partition(key: &[u8], partitions: i32) -> i32 {
    const M: i32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c_u32 as i32 ^ key.len() as i32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = i32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k as u32 >> 24) as i32).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= i32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash as u32 >> 13) as i32).wrapping_mul(M);
    hash ^= (hash as u32 >> 15) as i32;
    (hash & i32::MAX) % partitions
}

/// The values of Kafka's own `UtilsTest.testMurmur2`.
#[test]
fn the_reference_agrees_with_java() {
    let hashes = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ];
    for (key, hash) in hashes {
        assert_eq!(java_partition(key.as_bytes(), i32::MAX), (hash & i32::MAX) % i32::MAX, "{key}");
    }
}

#[tokio::test]
async fn an_event_is_the_record_that_others_expect() {
    let (broker, run) = (broker().await, fresh("run"));
    let sent = Sent { parcel: run.clone(), to: "Zürich".to_owned() };
    let publisher = bus().await.publisher().user("u-1").correlation("c-1").pair("tenant", "t-1");
    let id = publisher.publish(&sent).await.unwrap();
    let [record] = &broker.read_with(TOPIC, &run)[..] else { panic!("it is one record") };
    assert_eq!(record.key.as_deref(), Some(run.as_bytes()));
    assert_eq!(record.text("event-type"), Some("Sent"));
    assert_eq!(record.text("correlation-id"), Some("c-1"));
    let value: serde_json::Value = serde_json::from_slice(record.value.as_ref().unwrap()).unwrap();
    let time: jiff::Timestamp = value["timestamp"].as_str().unwrap().parse().unwrap();
    assert_eq!(record.time, time.as_millisecond());
    assert_eq!(
        value,
        serde_json::json!({
            "eventId": id.to_string(),
            "eventType": "Sent",
            "aggregateId": run,
            "aggregateType": "JitneyTestsParcel",
            "timestamp": value["timestamp"],
            "version": 2,
            "minor": 1,
            "payload": {"parcel": run, "to": "Zürich"},
            "metadata": {"userId": "u-1", "correlationId": "c-1", "tenant": "t-1"},
        })
    );
}

#[tokio::test]
async fn keys_are_where_java_and_kafkajs_put_them() {
    let (broker, run) = (broker().await, fresh("run"));
    let keys = (0..200).map(|length| format!("{run}-{}", "ü".repeat(length)));
    let events: Vec<_> = keys.map(|parcel| Sent { parcel, to: String::new() }).collect();
    bus().await.publish_all(&events).await.unwrap();
    let records = broker.read_with(TOPIC, &run);
    assert_eq!(records.len(), events.len());
    for record in records {
        let key = record.key.unwrap();
        assert_eq!(record.partition, java_partition(&key, PARTITIONS), "{key:?}");
    }
}

#[tokio::test]
async fn what_others_write_reaches_handlers() {
    let (broker, run, log) = (broker().await, fresh("run"), Log::new());
    let seen = log.clone();
    let take = move |sent: Envelope<Sent>| {
        let (head, sent) = (sent.head().clone(), Sent::clone(&sent));
        seen.add((head, sent));
        std::future::ready(())
    };
    let (_, app) = app_on(bus().await, |it| it, take);
    let app = app.start_at(Start::Latest).spawn().await.unwrap();
    // As JSON.stringify writes it, with a field that nobody here knows.
    let value = format!(
        r#"{{"eventId":"7c1a5b1e-8c7e-4f6c-9a44-0f4c2e1d9b11","eventType":"Sent","aggregateId":"{run}","aggregateType":"JitneyTestsParcel","timestamp":"2026-01-02T03:04:05.678Z","version":2,"payload":{{"to":"Z\u00fcrich","parcel":"{run}","new":[1]}},"metadata":{{"correlationId":"c-2","userId":"u-2"}}}}"#
    );
    let record = Record::new(run.clone(), value).header("event-type", "Sent").header("correlation-id", "c-2");
    broker.write(TOPIC, &record).await;
    // Headers are for those who look no further: without them it is the same event.
    broker.write(TOPIC, &Record { headers: Vec::new(), ..record }).await;
    let mine =
        || log.all().into_iter().filter(|(_, sent): &(_, Sent)| sent.parcel == run).collect::<Vec<_>>();
    until("both are handled", || mine().len() == 2).await;
    for (head, sent) in mine() {
        assert_eq!(sent.to, "Zürich");
        assert_eq!(head.event_id.to_string(), "7c1a5b1e-8c7e-4f6c-9a44-0f4c2e1d9b11");
        assert_eq!(head.time.to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!(head.metadata.user_id.as_deref(), Some("u-2"));
        assert_eq!(head.correlation_id().to_string(), "c-2");
    }
    app.shutdown().await.unwrap();
}
