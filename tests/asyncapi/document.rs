//! The application that the document is of.

use std::collections::BTreeMap;

use jitney::contract::events;
use jitney::memory::Memory;
use jitney::prelude::*;
use schemars::JsonSchema;
use serde_json::Value;

#[derive(Serialize, Deserialize, JsonSchema, DomainEvent)]
#[event(aggregate = "Order", id = id, version = "2.1", upcast_from = PlacedV1)]
struct Placed {
    id: String,
    lines: Vec<Line>,
    note: Option<String>,
    place: (f64, f64),
    by_day: BTreeMap<String, u32>,
}

#[derive(Serialize, Deserialize, JsonSchema, DomainEvent)]
#[event(aggregate = "Order", id = id, type = "Placed")]
struct PlacedV1 {
    id: String,
}

impl From<PlacedV1> for Placed {
    fn from(old: PlacedV1) -> Self {
        Placed { id: old.id, lines: Vec::new(), note: None, place: (0.0, 0.0), by_day: BTreeMap::new() }
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Line {
    product: Product,
    parts: Vec<Line>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
enum Product {
    Book,
    Other { name: String },
}

#[derive(Serialize, Deserialize, JsonSchema, DomainEvent)]
#[event(aggregate = "Payment", id = order)]
struct Taken {
    order: String,
}

#[handler(group = "billing")]
async fn take_payment(placed: Placed) -> Taken {
    Taken { order: placed.id }
}

#[handler(group = "audit")]
async fn audit(_: RawEvent) {}

/// The document.
pub(crate) fn document() -> Value {
    let bus = Bus::new(Memory::builder().build());
    let app = App::new("shop", bus).handlers(handlers![take_payment, audit]);
    jitney::asyncapi(&app.describe().unwrap()).version("1.2.0").publishes(events![Taken]).document()
}
