#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, version = "2.0", schemas = "schemas")]
struct OrderPaid {
    order_id: String,
    note: Option<String>,
}

fn main() {}
