#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

#[handler(grup = "billing", timeout = 30, retry(attempts = 0, to = "1x"))]
fn bill(paid: &OrderPaid) {}

fn main() {}
