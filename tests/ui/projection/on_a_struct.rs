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

#[projection(name = "order_summary", version = 1)]
struct OrderSummary;

fn main() {}
