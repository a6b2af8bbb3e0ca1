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

struct OrderSummary<T>(T);

#[projection(name = "order_summary")]
impl<T: Send + Sync + 'static> OrderSummary<T> {
    #[handler]
    async fn paid(&self, paid: OrderPaid, orders: &mut Orders) -> Result<(), HandlerError> {
        Ok(())
    }
}

fn main() {}
