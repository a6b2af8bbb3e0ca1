#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

#[handler(exactly_once, idempotent(key = order_id))]
async fn bill(paid: OrderPaid) {}

#[handler(exactly_once, idempotent = false)]
async fn ship(paid: OrderPaid) {}

fn main() {}
