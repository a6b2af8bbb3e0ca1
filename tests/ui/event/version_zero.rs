#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", version = "0.9")]
struct OrderPaid {
    order_id: String,
}

fn main() {}
