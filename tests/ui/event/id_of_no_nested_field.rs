#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = header.id)]
struct OrderPaid {
    header: Header,
}

#[derive(Serialize, Deserialize)]
struct Header {
    order_id: String,
}

fn main() {}
