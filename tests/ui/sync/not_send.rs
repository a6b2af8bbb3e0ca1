#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order")]
struct OrderPaid {
    order_id: std::cell::Cell<u8>,
}

fn main() {}
