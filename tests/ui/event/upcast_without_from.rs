#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", version = "2", upcast_from = OrderPaidV1)]
struct OrderPaid {
    order_id: String,
}

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", type = "OrderPaid")]
struct OrderPaidV1 {
    order_id: String,
}

fn main() {}
