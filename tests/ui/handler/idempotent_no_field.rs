#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

#[handler(idempotent(key = id))]
async fn bill(paid: Envelope<OrderPaid>) {}

fn main() {}
