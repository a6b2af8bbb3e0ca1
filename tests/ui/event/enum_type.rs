#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", type = "OrderEvent")]
enum OrderEvent {
    Paid,
}

fn main() {}
