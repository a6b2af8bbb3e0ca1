#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order")]
enum OrderEvent {
    Paid,
    #[serde(rename = "Paid")]
    PaidAgain,
}

fn main() {}
