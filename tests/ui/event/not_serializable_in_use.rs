#![allow(unused)]

use jitney::prelude::*;

#[derive(Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

#[handler]
async fn copy(paid: OrderPaid) -> OrderPaid {
    paid
}

fn main() {}
