//! Who gets an order: a name and a phone, which are sealed for the customer wherever they are kept.

use jitney::prelude::*;
use jitney::privacy::{Error, Personal, Subject};

/// A person at a customer's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recipient {
    pub contact: String,
    pub phone: String,
}

/// It is known who gets an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[event(aggregate = "Order", id = order_id, schemas = "schemas")]
pub struct OrderAddressed {
    pub order_id: String,
    pub recipient: Personal<Recipient>,
}

/// Whom the data of a customer is about.
pub fn subject(customer_id: &str) -> Result<Subject, Error> {
    Subject::of("customer", customer_id)
}
