#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

struct Billing(std::cell::Cell<u8>);

#[handler(group = "billing")]
impl Billing {
    #[handler]
    async fn on_paid(&self, paid: OrderPaid) {}
}

fn main() {}
