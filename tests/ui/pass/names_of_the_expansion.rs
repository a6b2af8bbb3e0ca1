//! Names of the user's that the expansions use as well.

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = payload, key = types, version = "2", upcast_json(1 = value))]
struct Event {
    payload: ::std::string::String,
    types: ::std::string::String,
}

impl Event {
    const TYPES: u8 = 1;
}

fn value(payload: serde_json::Value) -> ::std::result::Result<serde_json::Value, &'static str> {
    Ok(payload)
}

#[allow(non_camel_case_types, clippy::upper_case_acronyms)]
#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = field)]
enum Events {
    TYPES { field: u8 },
    Result { field: u8 },
    String { field: u8 },
}

struct Option;
struct Result;
struct String;

mod std {}
mod core {}

#[handler(retry(permanent = error))]
async fn set(state: Event) -> ::std::result::Result<(), HandlerError> {
    drop(state);
    Err("no".into())
}

#[handler]
async fn cx(event: Event) {
    drop(event);
}

#[handler]
async fn handlers(error: Event) {
    drop(error);
}

fn main() {
    assert_eq!(Event::TYPES, 1);
    assert_eq!(<Events as DomainEvent>::TYPES.len(), 3);
    let _ = (Option, Result, String);
    assert_eq!(handlers![set, cx, handlers].len(), 3);
}
