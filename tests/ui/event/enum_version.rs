#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", version = "2")]
enum OrderEvent {
    Paid,
}

fn main() {}
