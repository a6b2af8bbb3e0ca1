#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", version = "2", upcast_from = OrderPaidV1, upcast_json(1 = to_v2))]
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

fn to_v2(event: serde_json::Value) -> Result<serde_json::Value, String> {
    Ok(event)
}

fn main() {}
