//! Typed events held against what the registry has of them.

use jitney::contract::{Validation, events};
use jitney::memory::Memory;
use jitney::prelude::*;
use jitney::registry::{
    Compatibility, ErrorKind, Format, Schema, SchemaRegistry, SubjectNaming, validation_by,
};
use schemars::JsonSchema;
use serde_json::json;

use super::scene::{own, registry};

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent, JsonSchema)]
#[event(aggregate = "RegistryValidated", id = order_id)]
struct Paid {
    order_id: String,
    cents: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent, JsonSchema)]
#[event(aggregate = "RegistryValidated", id = order_id)]
struct NeverRegistered {
    order_id: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_event_is_held_against_the_schema_that_the_registry_has() {
    let (registry, subject) = (registry(), "RegistryValidated-events-Paid");
    registry.set_rule(subject, Compatibility::None).await.unwrap();
    // Somebody else's, who has agreed on more than a type can say. No other run has the same one.
    let theirs = json!({
        "title": "Paid", "description": own("a run"), "type": "object",
        "properties": { "order_id": { "type": "string" }, "cents": { "type": "integer", "maximum": 100_000 } },
        "required": ["order_id", "cents"]
    });
    registry.register(subject, &Schema::new(Format::Json, theirs.to_string())).await.unwrap();
    let validation = Validation::of(events![Paid]).unwrap().typed_events();
    let validation = validation_by::<Paid>(&registry, SubjectNaming::default(), validation).await.unwrap();
    let memory = Memory::new();
    let bus = Bus::builder(memory.connect()).layer(validation).build();
    bus.publish(&Paid { order_id: "1".to_owned(), cents: 100_000 }).await.unwrap();
    let error = bus.publish(&Paid { order_id: "2".to_owned(), cents: 100_001 }).await.unwrap_err();
    let told = jitney::error_chain(&error);
    assert!(told.contains("$.cents") && told.contains("100000") && told.contains("1.0"), "{told}");
    assert_eq!(memory.messages("RegistryValidated-events").len(), 1, "nothing was published");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_registry_does_not_know_is_said_to_be_unknown() {
    let validation = Validation::of(events![NeverRegistered]).unwrap();
    let registry = registry();
    let held = validation_by::<NeverRegistered>(&registry, SubjectNaming::default(), validation).await;
    let error = held.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("RegistryValidated-events-NeverRegistered"), "{error}");
}
