#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = " ")]
struct OrderPaid {
    order_id: String,
}

fn main() {}
