//! A server that is no registry: it answers what a test tells it to.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use jitney::admin::TopicSpec;
use jitney::dead_letter::Reason;
use jitney::handler::{HandlerSet, HandlerSpec};
use jitney::message::{Message, Outbound};
use jitney::middleware::RetryPolicy;
use jitney::prelude::*;
use jitney::registry::{ConfluentRegistry, ErrorKind, MAX_SCHEMA_BYTES, RegistryCodec, SchemaRegistry};
use jitney::transport::Published;
use schemars::JsonSchema;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::scene::{PATIENCE, memory, soon};

/// A fake: it answers each request on a connection of its own with `answer`, and ends with the process.
fn fake(answer: impl Into<Vec<u8>>) -> ConfluentRegistry {
    fake_in_turn([answer.into()])
}

/// The same with one answer after the other, and the last one again and again.
fn fake_in_turn(answers: impl IntoIterator<Item = Vec<u8>>) -> ConfluentRegistry {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut answers: Vec<_> = answers.into_iter().collect();
    answers.reverse();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            // Whether it reads or the other side has gone is all the same to it.
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answers.last().unwrap());
            if answers.len() > 1 {
                answers.pop();
            }
        }
    });
    let retry = RetryPolicy::attempts(2).between(Duration::from_millis(1), Duration::from_millis(1));
    ConfluentRegistry::builder(&url).timeout(PATIENCE).retry(retry).build().unwrap()
}

fn http(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn schema(text: &str) -> String {
    http(200, &serde_json::json!({ "schema": text, "schemaType": "JSON" }).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_nonsense_is_an_error_of_its_kind() {
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    for (answer, kind) in [
        (http(200, "<html>welcome</html>"), ErrorKind::Nonsense),
        (http(200, "{\"schema\":17}"), ErrorKind::Nonsense),
        (http(302, ""), ErrorKind::Nonsense),
        (http(404, "<html>not found</html>"), ErrorKind::Nonsense),
        ("SSH-2.0-OpenSSH_9.2p1\r\n".to_owned(), ErrorKind::Nonsense),
        (http(200, &"x".repeat(5 << 20)), ErrorKind::Nonsense),
        (http(401, ""), ErrorKind::Unauthorized),
        (http(503, "busy"), ErrorKind::Unavailable),
        (String::new(), ErrorKind::Unavailable),
        ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{".to_owned(), ErrorKind::Unavailable),
        (schema(&deep), ErrorKind::TooDeep),
        (schema(&" ".repeat(MAX_SCHEMA_BYTES + 1)), ErrorKind::TooLarge),
    ] {
        let shown: String = answer.chars().take(60).collect();
        let error = fake(answer).by_id(7).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{shown}: {error:?}");
        assert!(error.to_string().starts_with("looking up the schema 7: "), "{error}");
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent, JsonSchema)]
#[event(aggregate = "RegistryBad", id = order_id)]
struct Noted {
    order_id: String,
}

/// Each is dead-lettered as it came, with a word on why, and what is behind it is handled.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_is_a_dead_letter_as_it_came() {
    let none = http(404, r#"{"error_code":40403,"message":"Schema not found"}"#);
    let untitled = schema("{}");
    for (answer, body, why) in [
        (none, &b"\0\0\0\0\x07{\"order_id\":\"1\"}"[..], "Schema not found"),
        (schema("{"), b"\0\0\0\0\x07{\"order_id\":\"1\"}", "the schema is not JSON"),
        (untitled, b"\0\0\0\0\x07{\"order_id\":\"1\"}", "has no `title`"),
        (schema(r#"{"title":"Noted"}"#), b"\0\0\0\0\x07", "the payload is empty"),
        (schema(r#"{"title":"Noted"}"#), b"\0\0\0\0\x07{\"order", "EOF"),
        (schema(r#"{"title":"Noted"}"#), b"{\"order_id\":\"1\"}", "begins with the byte 0x7b"),
        (schema(r#"{"title":"Noted"}"#), b"", "it is empty"),
    ] {
        let bus = memory(RegistryCodec::builder(fake(answer)).connect().await.unwrap());
        bus.admin().unwrap().ensure_topics(&[TopicSpec::new("RegistryBad-events")]).await.unwrap();
        let (dead, mut letters) = unbounded_channel::<jitney::dead_letter::DeadLetter>();
        let app = App::new("registry-tests", bus)
            .on_dead_letter(move |letter| drop(dead.send(letter.clone())))
            .handlers(HandlerSet::new().handler(HandlerSpec::new("take"), |_: Noted| async {}));
        let app = app.spawn().await.unwrap();
        let message = Message {
            topic: "RegistryBad-events".into(),
            key: Some("1".into()),
            headers: Vec::new(),
            time: jiff::Timestamp::UNIX_EPOCH,
            body: body.into(),
        };
        let outbound = Outbound { message: message.clone(), attributes: None };
        assert!(matches!(app.bus().transport().publish_one(outbound).await, Published::Acked));
        let letter = soon(letters.recv()).await.unwrap();
        assert_eq!(letter.delivery.message.body, message.body);
        assert!(letter.failure.error.contains(why), "{why}: {}", letter.failure.error);
        assert!(matches!(letter.failure.reason, Reason::Undecodable), "{:?}", letter.failure);
        app.shutdown().await.unwrap();
    }
}

/// What says nothing of the schema: the password has changed, or a proxy answers.
#[tokio::test(flavor = "multi_thread")]
async fn while_something_else_answers_a_message_waits() {
    let answers = [
        http(401, ""),
        http(403, r#"{"error_code":40301,"message":"not you"}"#),
        http(404, "<html>no such page</html>"),
        http(404, r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#),
        http(302, ""),
        http(200, "<html>sign in</html>"),
        schema(r#"{"title":"shop.Noted"}"#),
    ];
    let registry = fake_in_turn(answers.map(String::into_bytes));
    let bus = memory(RegistryCodec::builder(registry).connect().await.unwrap());
    bus.admin().unwrap().ensure_topics(&[TopicSpec::new("RegistryBad-events")]).await.unwrap();
    let (seen, mut arrived) = unbounded_channel::<Noted>();
    let take = |noted: Noted, State(seen): State<UnboundedSender<Noted>>| async move {
        drop(seen.send(noted));
    };
    let app = App::new("registry-tests", bus).state(seen);
    let app = app.handlers(HandlerSet::new().handler(HandlerSpec::new("take"), take)).spawn().await.unwrap();
    app.bus()
        .transport()
        .publish_one(Outbound { message: record(), attributes: None })
        .await
        .into_result()
        .unwrap();
    assert_eq!(soon(arrived.recv()).await.unwrap(), Noted { order_id: "1".to_owned() });
    assert_eq!(app.stats().values().map(|group| group.dead_lettered).sum::<u64>(), 0);
    app.shutdown().await.unwrap();
}

/// A record of the schema 7.
fn record() -> Message {
    Message {
        topic: "RegistryBad-events".into(),
        key: Some("k-1".into()),
        headers: Vec::new(),
        time: jiff::Timestamp::UNIX_EPOCH,
        body: b"\0\0\0\0\x07{\"order_id\":\"1\"}"[..].into(),
    }
}

/// Records of others, which have no headers of ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_an_envelope_is_given_one() {
    let codec = RegistryCodec::builder(fake(schema(r#"{"title":"shop.Noted"}"#))).connect().await.unwrap();
    let bus = memory(codec);
    bus.admin().unwrap().ensure_topics(&[TopicSpec::new("RegistryBad-events")]).await.unwrap();
    let (seen, mut arrived) = unbounded_channel::<Envelope<Noted>>();
    let take = |noted: Envelope<Noted>, State(seen): State<UnboundedSender<Envelope<Noted>>>| async move {
        drop(seen.send(noted));
    };
    let app = App::new("registry-tests", bus).state(seen);
    let app = app.handlers(HandlerSet::new().handler(HandlerSpec::new("take"), take)).spawn().await.unwrap();
    for _ in 0..2 {
        let outbound = Outbound { message: record(), attributes: None };
        app.bus().transport().publish_one(outbound).await.into_result().unwrap();
    }
    let (first, second) = (soon(arrived.recv()).await.unwrap(), soon(arrived.recv()).await.unwrap());
    assert_eq!(first.payload(), &Noted { order_id: "1".to_owned() });
    assert_eq!((first.aggregate_id(), first.aggregate_type()), ("k-1", "RegistryBad"));
    assert_eq!(first.event_id(), second.event_id(), "they are one record, delivered twice");
    app.shutdown().await.unwrap();
}
