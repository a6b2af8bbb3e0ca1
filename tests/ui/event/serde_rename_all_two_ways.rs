#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order")]
#[serde(rename_all(serialize = "snake_case", deserialize = "camelCase"))]
enum OrderEvent {
    OrderPaid,
}

fn main() {}
