#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

struct Billing;

impl Billing {
    fn new() -> Self {
        Billing
    }
}

fn main() {
    let _ = handlers![Billing::new()];
}
