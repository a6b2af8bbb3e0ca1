#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

struct Rates;

#[handler]
async fn bill(paid: OrderPaid, State(rates): State<Rates>) {}

fn main() {}
