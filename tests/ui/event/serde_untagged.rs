#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order")]
#[serde(untagged)]
enum OrderEvent {
    Paid { order_id: String },
}

fn main() {}
