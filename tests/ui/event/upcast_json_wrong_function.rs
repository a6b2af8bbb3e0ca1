#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", version = "2", upcast_json(1 = to_v2))]
struct OrderPaid {
    order_id: String,
}

fn to_v2(event: String) -> Result<String, String> {
    Ok(event)
}

fn main() {}
