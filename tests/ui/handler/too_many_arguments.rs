#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

#[handler]
async fn bill(
    paid: OrderPaid,
    _1: Metadata,
    _2: Metadata,
    _3: Metadata,
    _4: Metadata,
    _5: Metadata,
    _6: Metadata,
    _7: Metadata,
    _8: Metadata,
) {
}

fn main() {}
