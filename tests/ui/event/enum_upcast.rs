#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", upcast_from = OrderEventV1)]
enum OrderEvent {
    Paid,
}

fn main() {}
