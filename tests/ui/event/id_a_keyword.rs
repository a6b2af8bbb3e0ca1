#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = type)]
struct OrderPaid {
    r#type: String,
}

fn main() {}
