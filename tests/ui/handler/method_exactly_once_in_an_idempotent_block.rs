#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

struct Billing;

#[handler(idempotent)]
impl Billing {
    #[handler(exactly_once)]
    async fn on_paid(&self, paid: OrderPaid) {}
}

fn main() {}
