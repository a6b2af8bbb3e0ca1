#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

#[handler]
async fn bill(paid: OrderPaid) -> Result<OrderPaid, u64> {
    Err(1)
}

fn main() {}
