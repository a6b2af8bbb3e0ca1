#![allow(unused)]

use jitney::prelude::*;

#[derive(DomainEvent)]
#[event(aggregate = "Order")]
union Order {
    a: u8,
    b: i8,
}

fn main() {}
