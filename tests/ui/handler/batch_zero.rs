#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

#[handler(batch = 0)]
async fn bill(paid: Batch<OrderPaid>) {}

fn main() {}
