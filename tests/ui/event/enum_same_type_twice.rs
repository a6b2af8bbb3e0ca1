#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order")]
enum OrderEvent {
    Paid,
    #[event(type = "Paid")]
    PaidAgain,
}

fn main() {}
