#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = 2)]
struct OrderPaid(String, u8);

fn main() {}
