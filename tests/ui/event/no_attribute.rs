#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
struct OrderPaid {
    order_id: String,
}

fn main() {}
