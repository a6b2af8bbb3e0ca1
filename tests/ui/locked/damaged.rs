#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, schemas = "schemas")]
struct OrderDamaged {
    order_id: String,
}

fn main() {}
