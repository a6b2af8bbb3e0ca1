#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order")]
#[serde(rename(serialize = "paid", deserialize = "payed"))]
struct OrderPaid {
    order_id: String,
}

fn main() {}
