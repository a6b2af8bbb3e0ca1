#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = Order)]
struct OrderPaid {
    order_id: String,
}

fn main() {}
