#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[serde(rename_all_fields = "camelCase")]
#[event(aggregate = "Order", schemas = "schemas")]
enum OrderEvent {
    #[event(type = "OrderPaid", version = "2.0")]
    Paid { order_id: bool, cents: u64, note: Option<String> },
    #[event(type = "OrderShipped")]
    Shipped { shipped_by: Option<String> },
}

fn main() {}
