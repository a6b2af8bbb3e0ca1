#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, version = "2.3", schemas = "schemas")]
struct OrderPaid {
    order_id: String,
    cents: u32,
    currency: String,
}

fn main() {}
