//! What an application is told at its start, and what the registry then has.

use jitney::event::{EventType, Version};
use jitney::registry::{
    Compatibility, ConfluentRegistry, ErrorKind, Format, RegistryCodec, RegistryCodecBuilder, Schema,
    SchemaRegistry, SchemaVersion, SubjectNaming,
};
use serde_json::json;

use super::scene::{own, registry};

static PAID: EventType = EventType::new("Paid", "RegistryStart", Version::new(1, 0), "RegistryStart-events");
static SENT: EventType = EventType::new("Sent", "RegistryStart", Version::new(1, 0), "RegistryStart-events");

/// The schema `title` of an object whose member `amount` is of the type `amount`, and nothing else.
fn schema(title: &str, amount: &str) -> Schema {
    let schema = json!({
        "title": title,
        "type": "object",
        "properties": { "amount": { "type": amount } },
        "required": ["amount"],
        "additionalProperties": false,
    });
    Schema::new(Format::Json, schema.to_string())
}

/// With subjects that are a record's alone, and the rule that most have.
fn builder() -> RegistryCodecBuilder {
    let builder = RegistryCodec::builder(registry()).subjects(SubjectNaming::RecordName);
    builder.rule(Compatibility::Backward)
}

async fn versions(subject: &str) -> Option<u32> {
    let latest = registry().version(subject, SchemaVersion::Latest).await.unwrap();
    latest.map(|latest| latest.version)
}

#[tokio::test]
async fn all_that_is_refused_is_said_at_once_in_the_registrys_words_and_nothing_is_registered() {
    let (paid, sent, new) = (own("Paid"), own("Sent"), own("New"));
    let first = builder().schema(&PAID, schema(&paid, "string")).schema(&SENT, schema(&sent, "string"));
    first.connect().await.unwrap();
    static NEW: EventType =
        EventType::new("New", "RegistryStart", Version::new(1, 0), "RegistryStart-events");
    let second = builder()
        .schema(&PAID, schema(&paid, "integer"))
        .schema(&NEW, schema(&new, "integer"))
        .schema(&SENT, schema(&sent, "boolean"));
    let error = second.connect().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Start, false));
    let text = error.to_string();
    for (event, subject) in [("Paid 1.0", &paid), ("Sent 1.0", &sent)] {
        assert!(text.contains(&format!("`{event}` under the subject `{subject}`")), "{text}");
    }
    assert_eq!(text.matches("Subschema type changed").count(), 2, "{text}");
    assert_eq!(text.matches("\n  - ").count(), 2, "{text}");
    assert_eq!(versions(&new).await, None, "what was fine is not registered either");
    assert_eq!((versions(&paid).await, versions(&sent).await), (Some(1), Some(1)));
}

#[tokio::test]
async fn a_change_that_the_rule_allows_is_the_next_version() {
    let paid = own("Paid");
    builder().schema(&PAID, schema(&paid, "integer")).connect().await.unwrap();
    let wider = builder().schema(&PAID, schema(&paid, "number")).connect().await.unwrap();
    assert_eq!(versions(&paid).await, Some(2));
    let id = wider.schema_id("RegistryStart", "Paid", Version::new(1, 0)).unwrap();
    assert!(registry().by_id(id).await.unwrap().text.contains("number"));
    // An instance of the version before is still there.
    builder().schema(&PAID, schema(&paid, "integer")).connect().await.unwrap();
    assert_eq!(versions(&paid).await, Some(2));
}

#[tokio::test]
async fn events_of_one_name_have_the_schema_of_their_aggregate() {
    static ELSEWHERE: EventType =
        EventType::new("Paid", "RegistryElsewhere", Version::new(1, 0), "RegistryElsewhere-events");
    let (here, there) = (schema(&own("Paid"), "integer"), schema(&own("Paid"), "string"));
    let both =
        builder().schema(&PAID, here.clone()).schema(&ELSEWHERE, there.clone()).connect().await.unwrap();
    for (aggregate, schema) in [("RegistryStart", here), ("RegistryElsewhere", there)] {
        let id = both.schema_id(aggregate, "Paid", Version::new(1, 0)).unwrap();
        assert_eq!(registry().by_id(id).await.unwrap().text, schema.text, "{aggregate}");
    }
    assert_eq!(both.schema_id("RegistryNowhere", "Paid", Version::new(1, 0)), None);
}

#[test]
fn a_secure_address_chooses_its_own_cryptography() {
    // Other crates may have brought another one. Without certificates of authorities it is an error, and no panic either.
    drop(ConfluentRegistry::builder("https://registry.example").build());
}

#[tokio::test]
async fn under_another_rule_another_change_is_refused() {
    let paid = own("Paid");
    let forward = || builder().rule(Compatibility::Forward);
    forward().schema(&PAID, schema(&paid, "integer")).connect().await.unwrap();
    forward().schema(&PAID, schema(&paid, "number")).connect().await.unwrap_err();
    builder().rule(Compatibility::None).schema(&PAID, schema(&paid, "boolean")).connect().await.unwrap();
}

#[tokio::test]
async fn where_nothing_is_registered_by_itself_a_schema_must_be_there() {
    let paid = own("Paid");
    let strict = || builder().auto_register(false).schema(&PAID, schema(&paid, "integer"));
    let error = strict().connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Start);
    assert!(error.to_string().contains("is not registered"), "{error}");
    assert_eq!(versions(&paid).await, None);
    let id = registry().register(&paid, &schema(&paid, "integer")).await.unwrap();
    let codec = strict().connect().await.unwrap();
    assert_eq!(codec.schema_id("RegistryStart", "Paid", Version::new(1, 0)), Some(id));
}

#[tokio::test]
async fn two_events_do_not_share_a_subject() {
    let topic_name = RegistryCodec::builder(registry()).subjects(SubjectNaming::TopicName);
    let both = topic_name.schema(&PAID, schema("Paid", "string")).schema(&SENT, schema("Sent", "string"));
    let error = both.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Start);
    assert!(error.to_string().contains("`Paid 1.0` is under it too"), "{error}");
    assert_eq!(versions("RegistryStart-events-value").await, None);
}

#[tokio::test]
async fn a_schema_that_is_none_is_said_to_be() {
    let codec = RegistryCodec::builder(registry())
        .schema(&PAID, Schema::new(Format::Json, "{"))
        .schema(&SENT, Schema::new(Format::Json, "{}"));
    let error = codec.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Start);
    assert!(error.to_string().contains("`Paid 1.0`: the schema is not JSON"), "{error}");
    assert!(error.to_string().contains("`Sent 1.0`: the schema has no `title`"), "{error}");
}
