#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(agregate = "Order", version = 2, id = "order_id", topic = "", topic = orders)]
struct OrderPaid {
    #[event(key)]
    order_id: String,
}

fn main() {}
