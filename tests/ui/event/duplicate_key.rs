#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", aggregate = "Invoice")]
struct OrderPaid {
    order_id: String,
}

fn main() {}
