#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", version = "3", upcast_json(1 = to_v2))]
struct OrderPaid {
    order_id: String,
}

fn to_v2(event: serde_json::Value) -> Result<serde_json::Value, String> {
    Ok(event)
}

fn main() {}
