#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", crate = "my crate")]
struct OrderPaid {
    order_id: String,
}

fn main() {}
