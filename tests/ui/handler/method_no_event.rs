#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

struct Billing;

#[handler(group = "billing")]
impl Billing {
    #[handler]
    async fn on_paid(&self, paid: u64) {}
    
    #[handler]
    async fn on_sent(&self, paid: OrderPaid, rate: u8) -> u64 {
        1
    }
}

fn main() {}
