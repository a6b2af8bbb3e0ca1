#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", version = "v2")]
struct OrderPaid {
    order_id: String,
}

fn main() {}
