#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

#[derive(Debug)]
enum Trouble {
    Lasting,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("trouble")
    }
}

impl std::error::Error for Trouble {}

#[handler(retry(permanent = Trouble::Lasting))]
async fn bill(paid: OrderPaid) -> Option<OrderPaid> {
    Some(paid)
}

fn main() {}
