#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", key = order_id)]
struct OrderPaid {
    order_id: String,
}

fn main() {}
