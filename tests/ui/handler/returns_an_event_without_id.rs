#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order")]
struct Billed;

#[handler]
async fn bill(paid: OrderPaid) -> Billed {
    Billed
}

fn main() {}
