//! Confluent's client for Python on the same registry and broker as we: it reads what we write, and we read what it writes.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use jitney::Keyed;
use jitney::admin::TopicSpec;
use jitney::handler::{HandlerSet, HandlerSpec};
use jitney::prelude::*;
use jitney::registry::RegistryCodec;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::round_trip::{avro_codec, json_codec, paid, protobuf_codec, sent, taken};
use super::scene::{kafka, own, registry, soon, url};

/// The client, as PyPI knows it.
const CLIENT: &str = "confluent-kafka[json,avro,protobuf]==2.16.1";

/// Runs the program with `arguments` on a topic, for one key; `input` is what it reads, and its answer what it prints.
fn python(arguments: &[&str], topic: &str, key: &str, input: &Value) -> Value {
    let kafka = jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}"));
    let python = jitney_test_servers::python_with(CLIENT).unwrap_or_else(|error| panic!("{error}"));
    let bootstrap = kafka.trim_start_matches("kafka://").split(['/', '?']).next().unwrap_or_default();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/confluent_python/registry.py");
    let mut child = Command::new(python)
        .arg(program)
        .args(arguments)
        .args(["--bootstrap", bootstrap, "--registry", &url(), "--topic", topic, "--key", key])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    write!(child.stdin.take().unwrap(), "{input}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A file of these tests.
fn file(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry").join(name).display().to_string()
}

/// Publishes `event`, and has Python read it.
async fn read_there<E: Keyed>(codec: RegistryCodec, event: &E, format: &str) -> Value {
    let (bus, topic) = (kafka(codec).await, E::TYPES[0].topic());
    bus.admin().unwrap().ensure_topics(&[TopicSpec::new(topic)]).await.unwrap();
    let id = bus.publish(event).await.unwrap();
    let read = python(&["read", format], topic, &event.aggregate_id(), &Value::Null);
    let headers = &read["headers"];
    assert_eq!(headers["ce_id"], id.to_string());
    assert_eq!(headers["ce_type"], E::TYPES[0].name());
    assert_eq!(headers["ce_subject"], event.aggregate_id());
    read["value"].clone()
}

/// Has Python write `event` as a record without headers, and answers what a handler gets. The codec does not know the schema.
async fn written_there<E>(event: &E, arguments: &[&str]) -> Envelope<E>
where
    E: Keyed + Sync,
{
    let bus = kafka(RegistryCodec::builder(registry()).connect().await.unwrap()).await;
    let (topic, key) = (E::TYPES[0].topic(), event.aggregate_id());
    bus.admin().unwrap().ensure_topics(&[TopicSpec::new(topic)]).await.unwrap();
    let (seen, mut arrived) = unbounded_channel::<Envelope<E>>();
    let take = |event: Envelope<E>, State(seen): State<UnboundedSender<Envelope<E>>>| async move {
        drop(seen.send(event));
    };
    let app = App::new("registry-tests", bus).group_prefix(&own("group")).state(seen);
    let app = app.handlers(HandlerSet::new().handler(HandlerSpec::new("take"), take)).spawn().await.unwrap();
    let value = serde_json::to_value(event).unwrap();
    assert_eq!(python(arguments, topic, &key, &value), json!({ "written": true }));
    let came = loop {
        let came = soon(arrived.recv()).await.unwrap();
        if came.aggregate_id() == key {
            break came;
        }
    };
    app.shutdown().await.unwrap();
    assert_eq!(came.aggregate_type(), E::TYPES[0].aggregate());
    came
}

#[tokio::test(flavor = "multi_thread")]
async fn json_goes_to_python_and_comes_from_it() {
    let event = taken(&own("größe"));
    assert_eq!(read_there(json_codec().await, &event, "json").await, serde_json::to_value(&event).unwrap());
    let event = taken(&own("größe"));
    let came = written_there(&event, &["write", "json", "--schema", &file("order_taken.json")]).await;
    assert_eq!((came.payload(), came.version().major), (&event, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn avro_goes_to_python_and_comes_from_it() {
    let event = paid(&own("größe"));
    assert_eq!(read_there(avro_codec().await, &event, "avro").await, serde_json::to_value(&event).unwrap());
    let event = paid(&own("größe"));
    let came = written_there(&event, &["write", "avro", "--schema", &file("order_paid.avsc")]).await;
    assert_eq!(came.payload(), &event);
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_goes_to_python_and_comes_from_it() {
    let event = sent(&own("größe"));
    let read = read_there(protobuf_codec().await, &event, "protobuf").await;
    // Python leaves defaults out, and writes whole numbers of 64 bits as text.
    let expected = json!({
        "order_id": event.aggregate_id(), "total_cents": i64::MAX.to_string(), "parcels": [{"tags": {"größe": "XL"}}],
        "before": {"order_id": "41"},
    });
    assert_eq!(read, expected);
    let event = sent(&own("größe"));
    assert_eq!(written_there(&event, &["write", "protobuf"]).await.payload(), &event);
}
