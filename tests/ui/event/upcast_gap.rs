#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", version = "3", upcast_from = OrderPaidV1)]
struct OrderPaid {
    order_id: String,
}

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", type = "OrderPaid")]
struct OrderPaidV1 {
    order_id: String,
}

impl From<OrderPaidV1> for OrderPaid {
    fn from(old: OrderPaidV1) -> Self {
        OrderPaid { order_id: old.order_id }
    }
}

fn main() {}
