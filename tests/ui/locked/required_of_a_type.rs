#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize)]
struct Note(String);

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, version = "2.1", schemas = "schemas")]
struct OrderPaid {
    order_id: String,
    cents: u64,
    note: Note,
    remark: Note,
}

fn main() {}
