#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

#[handler]
async fn bill(State(rate): State<u8>, paid: OrderPaid) {}

fn main() {}
