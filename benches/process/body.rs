//! The event every contestant carries: an order with nested items, about 400 bytes as JSON.
//!
//! The bodies are made once, before any measurement, and the same thousand of them (a thousand
//! distinct order ids, which are the keys) go round in the same order for every contestant.

use jitney::DomainEvent;
use serde::{Deserialize, Serialize};

/// How many distinct orders, and so keys, there are.
pub const KEYS: usize = 1_000;

/// The type name the event travels under where an envelope carries one.
pub const EVENT_TYPE: &str = "OrderCreated";

/// The aggregate the event belongs to.
pub const AGGREGATE_TYPE: &str = "Order";

/// The seed of the bodies: every run of every build carries the same bytes.
const SEED: u64 = 0x6a69_746e_6579;

const CURRENCIES: [&str; 4] = ["EUR", "USD", "GBP", "PLN"];
const NOTES: [&str; 4] = ["gift wrap", "leave at the door", "fragile", "no substitute"];

/// An order was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, DomainEvent)]
#[serde(rename_all = "camelCase")]
#[event(aggregate = "Order", id = order_id, version = "2.1")]
pub struct OrderCreated {
    pub order_id: String,
    pub customer_id: String,
    pub currency: String,
    pub items: Vec<Item>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    pub product_id: String,
    pub quantity: u32,
    pub unit_price_cents: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount_cents: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl OrderCreated {
    /// What a handler folds: it reads every field of the order, and costs next to nothing.
    pub fn checksum(&self) -> u64 {
        let texts = [&self.order_id, &self.customer_id, &self.currency];
        let head = texts.iter().flat_map(|text| text.bytes()).map(u64::from).sum::<u64>();
        self.items.iter().fold(head, |sum, item| {
            let price = u64::from(item.quantity).wrapping_mul(item.unit_price_cents);
            let note = item.note.as_ref().map_or(0, String::len) + item.product_id.len();
            sum.wrapping_add(price).wrapping_sub(item.discount_cents.unwrap_or(0)).wrapping_add(note as u64)
        })
    }
}

/// The [`KEYS`] orders of a run.
pub fn orders() -> Vec<OrderCreated> {
    let mut random = fastrand::Rng::with_seed(SEED);
    (0..KEYS).map(|number| order(number, &mut random)).collect()
}

fn order(number: usize, random: &mut fastrand::Rng) -> OrderCreated {
    OrderCreated {
        order_id: format!("order-{number:06}"),
        customer_id: format!("customer-{:05}", random.u32(0..100_000)),
        currency: CURRENCIES[random.usize(0..CURRENCIES.len())].to_owned(),
        items: (0..random.usize(4..=6)).map(|_| item(random)).collect(),
    }
}

fn item(random: &mut fastrand::Rng) -> Item {
    let unit_price_cents = random.u64(99..20_000);
    Item {
        product_id: format!("p-{:04}", random.u32(0..10_000)),
        quantity: random.u32(1..=12),
        unit_price_cents,
        discount_cents: (random.u8(0..4) == 0).then_some(unit_price_cents / 10),
        note: (random.u8(0..5) == 0).then(|| NOTES[random.usize(0..NOTES.len())].to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn bodies_are_about_four_hundred_bytes_with_a_thousand_keys() {
        let orders = orders();
        let keys: HashSet<_> = orders.iter().map(|order| &order.order_id).collect();
        assert_eq!(keys.len(), KEYS);

        let bytes: usize = orders.iter().map(|order| serde_json::to_vec(order).unwrap().len()).sum();
        let mean = bytes / KEYS;
        assert!((380..=440).contains(&mean), "the mean body is {mean} bytes");
    }

    #[test]
    fn a_body_survives_its_json() {
        for order in orders() {
            let json = serde_json::to_vec(&order).unwrap();
            assert_eq!(serde_json::from_slice::<OrderCreated>(&json).unwrap(), order);
        }
    }
}
