#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order")]
enum OrderEvent {
    #[serde(rename(serialize = "paid", deserialize = "payed"))]
    Paid,
}

fn main() {}
