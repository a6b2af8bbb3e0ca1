#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order")]
#[serde(from = "u8")]
enum OrderEvent {
    Paid,
}

impl From<u8> for OrderEvent {
    fn from(_: u8) -> Self {
        OrderEvent::Paid
    }
}

fn main() {}
