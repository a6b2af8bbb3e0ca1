//! Any payload under any version: a chain of upcasters answers.
#![no_main]

use jitney::event::{DomainEvent, StoredPayload, Version};
use jitney::prelude::{DomainEvent, Deserialize, Serialize};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, version = "3", upcast_from = PlacedV2)]
struct Placed {
    order_id: String,
    currency: String,
    total: u64,
}

#[derive(Debug, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, type = "Placed", version = "2", upcast_from = PlacedV1)]
struct PlacedV2 {
    order_id: String,
    total: u64,
}

#[derive(Debug, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, type = "Placed")]
struct PlacedV1 {
    order_id: String,
    prices: Vec<u64>,
}

impl From<PlacedV2> for Placed {
    fn from(old: PlacedV2) -> Self {
        Placed { order_id: old.order_id, currency: "USD".to_owned(), total: old.total }
    }
}

impl TryFrom<PlacedV1> for PlacedV2 {
    type Error = &'static str;

    fn try_from(old: PlacedV1) -> Result<Self, &'static str> {
        let total = old.prices.iter().try_fold(0_u64, |sum, price| sum.checked_add(*price));
        Ok(PlacedV2 { order_id: old.order_id, total: total.ok_or("the prices add up to too much")? })
    }
}

#[derive(Debug, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Account")]
enum AccountEvent {
    Opened { owner: String },
    Deposited(u64),
    Moved(u64, String),
    Closed,
}

fuzz_target!(|input: (u8, u32, u32, &[u8])| {
    let (name, major, minor, json) = input;
    let name = ["Placed", "Opened", "Deposited", "Moved", "Closed", "Nobody"][usize::from(name) % 6];
    let stored = StoredPayload::new(name, Version::new(major % 5, minor), json);
    let _ = Placed::decode(&stored);
    let _ = AccountEvent::decode(&stored);
});
