#![allow(unused)]

use std::collections::BTreeMap;

use jitney::handler::HandlerError;
use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

type Orders = BTreeMap<String, u64>;

struct OrderSummary;

#[projection(name = "order_summary__next")]
impl OrderSummary {
    #[handler]
    async fn paid(&self, paid: OrderPaid, orders: &mut Orders) -> Result<(), HandlerError> {
        Ok(())
    }
}

fn main() {}
