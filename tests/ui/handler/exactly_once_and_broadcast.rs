#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

#[handler(broadcast, exactly_once)]
async fn bill(paid: OrderPaid) {}

fn main() {}
