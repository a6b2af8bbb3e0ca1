#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order")]
enum OrderEvent {
    #[event(version = "3.1", upcast_from = OrderPaidV1)]
    Paid { order_id: String },
}

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", type = "OrderPaid")]
struct OrderPaidV1 {
    order_id: String,
}

impl From<OrderPaidV1> for OrderEvent {
    fn from(old: OrderPaidV1) -> Self {
        OrderEvent::Paid { order_id: old.order_id }
    }
}

fn main() {}
