#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
    #[event(pseudonym = "Analytics & more")]
    customer_id: String,
    #[event(pseudonym)]
    phone: Option<u64>,
    #[event(pseudonym, subject = "customer/{customer}")]
    name: String,
    #[event(pseudonym, subject = "customer")]
    street: String,
    #[event(subject = "customer/{customer_id}")]
    city: String,
    #[event(pseudonym, purpose = "analytics")]
    #[serde(skip_serializing)]
    country: String,
}

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order")]
enum OrderEvent {
    Placed(#[event(pseudonym)] String),
    Noted {
        #[event(pseudonym)]
        by: String,
        #[serde(flatten)]
        rest: std::collections::BTreeMap<String, String>,
    },
}

fn main() {}
