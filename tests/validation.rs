//! Payloads held against their schemas, when they are published and when they arrive.

#![allow(clippy::unwrap_used)]

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::codec::{Codec, NativeJson};
use jitney::contract::{self, Validation, events};
use jitney::dead_letter::{DeadLetter, Reason};
use jitney::handler::HandlerSpec;
use jitney::memory::Memory;
use jitney::prelude::*;
use jitney::publish::{Origin, PublishLayer};
use jitney::{Error, ErrorKind, RawEvent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent, JsonSchema)]
#[event(aggregate = "Order", id = order_id, version = "1.1")]
struct OrderPlaced {
    order_id: String,
    lines: Vec<Line>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Line {
    product: String,
    quantity: u16,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent, JsonSchema)]
#[event(aggregate = "Order", id = order_id)]
struct OrderShipped {
    order_id: String,
}

const TOPIC: &str = "Order-events";

fn placed() -> OrderPlaced {
    let line = Line { product: "chai".to_owned(), quantity: 2 };
    OrderPlaced { order_id: "o-1".to_owned(), lines: vec![line], note: None }
}

fn validation() -> Validation {
    Validation::of(events![OrderPlaced]).unwrap()
}

fn bus(memory: &Memory, validation: Validation) -> Bus {
    Bus::builder(memory.connect()).layer(validation).build()
}

/// The last event of the topic, as somebody reads it who knows no types.
fn last(memory: &Memory) -> RawEvent {
    let message = memory.messages(TOPIC).pop().unwrap();
    RawEvent::new(NativeJson.decode(&message, None).unwrap(), message)
}

/// An event that was published, with another payload.
async fn edited(memory: &Memory, event: &impl Keyed, payload: Value) -> RawEvent {
    Bus::new(memory.connect()).publish(event).await.unwrap();
    let mut raw = last(memory);
    raw.set_payload_json(payload.to_string());
    raw
}

fn words(error: &Error) -> String {
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Layer, false));
    jitney::error_chain(error)
}

#[jitney::test]
async fn what_is_edited_is_refused_by_place_expectation_and_version_and_not_published() {
    let (memory, bus) = (Memory::new(), Memory::new());
    let lines = json!([{ "product": "chai", "quantity": "two" }, { "quantity": 70_000 }]);
    let edited = edited(&memory, &placed(), json!({ "order_id": "o-1", "lines": lines })).await;
    let error = self::bus(&bus, validation()).republish(&edited).await.unwrap_err();
    let words = words(&error);
    for said in [
        "`OrderPlaced` 1.1 is not what version 1.1 of its schema says",
        "`$.lines[0].quantity`: it is not of type \"integer\"",
        "`$.lines[1].quantity`",
        "`$.lines[1]`: \"product\" is a required property",
        "it was not published",
    ] {
        assert!(words.contains(said), "{said} in {words}");
    }
    assert!(!words.contains("two"), "no value is shown: {words}");
    assert!(bus.topics().is_empty());
}

#[jitney::test]
async fn of_a_batch_only_what_is_invalid_is_refused() {
    let (source, target) = (Memory::new(), Memory::new());
    let bad = edited(&source, &placed(), json!({ "order_id": 7 })).await;
    let good =
        edited(&source, &placed(), json!({ "order_id": "o-2", "lines": [], "more": "is ignored" })).await;
    let published = bus(&target, validation()).republish_all(&[bad, good]).await;
    assert!(published[0].is_err() && published[1].is_ok(), "{published:?}");
    assert_eq!(target.messages(TOPIC).len(), 1);
}

#[jitney::test]
async fn an_older_minor_version_is_held_against_what_is_known_and_another_major_is_unknown() {
    let payload = br#"{"order_id":"o-1","lines":[]}"#;
    let check = |version: &str, payload: &[u8]| {
        let payload = jitney::event::StoredPayload::new("OrderPlaced", version.parse().unwrap(), payload);
        validation().check(&payload.of_aggregate("Order")).map_err(|invalid| invalid.schema_version())
    };
    let known = Some("1.1".parse().unwrap());
    for version in ["1.0", "1.1", "1.7"] {
        assert_eq!(check(version, payload), Ok(()), "{version}");
        assert_eq!(check(version, b"{}"), Err(known), "{version}");
    }
    assert_eq!(check("2.0", payload), Err(None));
    assert_eq!(check("1.1", b"{\"order_id\""), Err(known), "it is no JSON");
}

#[jitney::test]
async fn an_unknown_type_is_refused_unless_it_may_pass() {
    let (source, target) = (Memory::new(), Memory::new());
    let shipped = edited(&source, &OrderShipped { order_id: "o-1".to_owned() }, json!(7)).await;
    let error = bus(&target, validation()).republish(&shipped).await.unwrap_err();
    assert!(words(&error).contains("no schema of `OrderShipped` 1.0 is known"), "{error}");
    assert!(target.topics().is_empty());
    bus(&target, validation().pass_unknown()).republish(&shipped).await.unwrap();
}

#[jitney::test]
async fn typed_events_are_checked_where_that_is_asked_for() {
    let memory = Memory::new();
    let stricter = json!({ "properties": { "lines": { "minItems": 2 } } });
    let stricter =
        || validation().and_schema("Order", "OrderPlaced", "1.1".parse().unwrap(), &stricter).unwrap();
    assert!(!stricter().takes(Origin::Typed) && !stricter().takes_deliveries());
    bus(&memory, stricter()).publish(&placed()).await.unwrap();
    let error = bus(&memory, stricter().typed_events()).publish(&placed()).await.unwrap_err();
    assert!(jitney::error_chain(&error).contains("`$.lines`: it has less than 2 items"), "{error:?}");
    assert_eq!(memory.messages(TOPIC).len(), 1);
}

#[jitney::test]
async fn what_arrives_invalid_is_a_dead_letter_whole_and_with_the_same_words() {
    let (memory, letters) = (Memory::new(), Arc::new(Mutex::new(Vec::<DeadLetter>::new())));
    let handled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&handled);
    let audit = move |_: RawEvent| {
        count.fetch_add(1, Ordering::SeqCst);
        async {}
    };
    let dead = Arc::clone(&letters);
    let app = App::new("audit", bus(&memory, validation().deliveries()))
        .handlers(HandlerSet::new().handler(HandlerSpec::new("all").topic(TOPIC), audit))
        .on_dead_letter(move |letter| dead.lock().unwrap().push(letter.clone()))
        .spawn()
        .await
        .unwrap();
    let plain = Bus::new(memory.connect());
    let invalid = edited(&Memory::new(), &placed(), json!({ "order_id": "o-1", "lines": {} })).await;
    plain.republish(&invalid).await.unwrap();
    plain.publish(&OrderShipped { order_id: "o-1".to_owned() }).await.unwrap();
    plain.publish(&placed()).await.unwrap();
    let settled = async {
        while memory.pending("audit.all") > 0 {
            jitney::Env::system().sleep(Duration::from_millis(5)).await;
        }
    };
    jitney::Env::system().timeout(Duration::from_secs(60), settled).await.expect("all are settled");
    app.shutdown().await.unwrap();
    assert_eq!(handled.load(Ordering::SeqCst), 2, "what is valid, and what has no schema");
    let letters = letters.lock().unwrap();
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!(letter.failure.reason, Reason::Refused);
    assert_eq!(letter.delivery.message.body, memory.messages(TOPIC)[0].body, "it is whole");
    assert!(letter.failure.error.contains("`$.lines`: it is not of type \"array\""), "{letter:?}");
}

#[test]
fn schemas_that_cannot_be_used_are_refused_when_they_are_given() {
    let with = |schema: Value| {
        validation().and_schema("Order", "OrderPlaced", "2.0".parse().unwrap(), &schema).map(drop)
    };
    for (schema, kind) in [
        (json!({ "$ref": "#" }), contract::ErrorKind::Reference),
        (json!({ "$ref": "https://example.com/order.json" }), contract::ErrorKind::Reference),
        (json!({ "type": "strnig" }), contract::ErrorKind::NoSchema),
        ((0..120).fold(json!({}), |inner, _| json!({ "items": inner })), contract::ErrorKind::TooLarge),
    ] {
        let error = with(schema.clone()).unwrap_err();
        assert_eq!(error.kind(), kind, "{schema}");
        assert!(error.to_string().contains("`OrderPlaced` 2.0"), "{error}");
        assert!(kind == contract::ErrorKind::NoSchema || error.source().is_some());
    }
}

#[test]
fn old_versions_are_read_from_the_lock_folder() {
    let folder = std::env::temp_dir().join(format!("jitney-validation-{}", std::process::id()));
    contract::Contract::new(&folder, events![OrderPlaced]).locked(false).verify().unwrap();
    let alone = Validation::of(events![OrderShipped]).unwrap().and_locked(&folder).unwrap();
    let payload = jitney::event::StoredPayload::new("OrderPlaced", "1.1".parse().unwrap(), b"{}");
    assert!(!alone.check(&payload.of_aggregate("Order")).unwrap_err().is_unknown());
    std::fs::remove_dir_all(&folder).unwrap();
    let missing = Validation::of(events![OrderShipped]).unwrap().and_locked(&folder).unwrap_err();
    assert!(missing.to_string().contains("there is no such folder"), "{missing}");
}
