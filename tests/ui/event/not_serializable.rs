#![allow(unused)]

use jitney::prelude::*;

#[derive(Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

fn main() {}
