#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, version = "2.0", schemas = "schemas")]
struct OrderPaid {
    order_id: String,
    amount: u64,
    note: Option<String>,
}

fn main() {}
