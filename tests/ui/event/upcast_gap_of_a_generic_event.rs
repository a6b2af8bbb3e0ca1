#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", version = "3", upcast_from = SetV1<T>)]
struct Set<T> {
    value: T,
}

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", type = "Set")]
struct SetV1<T> {
    value: T,
}

impl<T> From<SetV1<T>> for Set<T> {
    fn from(old: SetV1<T>) -> Self {
        Set { value: old.value }
    }
}

const TYPES: &[jitney::event::EventType] = <Set<u8> as DomainEvent>::TYPES;

fn main() {}
