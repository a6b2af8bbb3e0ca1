#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
enum OrderEvent {
    Paid { order_id: String },
    Sent { id: String },
    Closed,
}

fn main() {}
