//! What can be asked of the order service, and what can happen in it. What each event looks like is locked in `schemas`:
//! `tests/contracts.rs` compares them.

use jitney::prelude::*;
use rust_decimal::Decimal;
use schemars::JsonSchema;

use super::item::Item;

/// A command: create this order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, DomainEvent)]
#[serde(rename_all = "camelCase")]
#[event(aggregate = "OrderDesk", id = order_id, topic = "order-commands", schemas = "schemas")]
pub struct PlaceOrder {
    pub order_id: String,
    pub customer_id: String,
    pub ordered_at: String,
    pub shipped_at: Option<String>,
    pub items: Vec<Item>,
}

/// An order exists. Version 1 had no currency.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, DomainEvent)]
#[serde(rename_all = "camelCase")]
#[event(aggregate = "Order", id = order_id, version = "2.0", upcast_from = OrderCreatedV1, schemas = "schemas")]
pub struct OrderCreated {
    pub order_id: String,
    pub customer_id: String,
    pub ordered_at: String,
    pub shipped_at: Option<String>,
    pub items: Vec<Item>,
    pub currency: String,
}

impl From<PlaceOrder> for OrderCreated {
    fn from(command: PlaceOrder) -> Self {
        let PlaceOrder { order_id, customer_id, ordered_at, shipped_at, items } = command;
        OrderCreated { order_id, customer_id, ordered_at, shipped_at, items, currency: "USD".to_owned() }
    }
}

/// An order exists, as earlier releases said it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, DomainEvent)]
#[serde(rename_all = "camelCase")]
#[event(aggregate = "Order", id = order_id, type = "OrderCreated", schemas = "schemas")]
pub struct OrderCreatedV1 {
    pub order_id: String,
    pub customer_id: String,
    pub ordered_at: String,
    pub shipped_at: Option<String>,
    pub items: Vec<Item>,
}

impl From<OrderCreatedV1> for OrderCreated {
    fn from(old: OrderCreatedV1) -> Self {
        let OrderCreatedV1 { order_id, customer_id, ordered_at, shipped_at, items } = old;
        OrderCreated { order_id, customer_id, ordered_at, shipped_at, items, currency: "USD".to_owned() }
    }
}

/// A command was not followed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, DomainEvent)]
#[serde(rename_all = "camelCase")]
#[event(aggregate = "Order", id = order_id, schemas = "schemas")]
pub struct OrderRefused {
    pub order_id: String,
    pub reason: String,
}

/// The goods of an order are set aside.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, DomainEvent)]
#[serde(rename_all = "camelCase")]
#[event(aggregate = "Order", id = order_id, schemas = "schemas")]
pub struct StockReserved {
    pub order_id: String,
    pub amount: Decimal,
    pub shipped_at: Option<String>,
}

/// The goods of an order are back on the shelf.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, DomainEvent)]
#[serde(rename_all = "camelCase")]
#[event(aggregate = "Order", id = order_id, schemas = "schemas")]
pub struct StockReleased {
    pub order_id: String,
    pub reason: String,
}

/// An order is paid.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, DomainEvent)]
#[serde(rename_all = "camelCase")]
#[event(aggregate = "Order", id = order_id, schemas = "schemas")]
pub struct PaymentTaken {
    pub order_id: String,
    pub amount: Decimal,
    pub shipped_at: Option<String>,
}

/// An order cannot be paid.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, DomainEvent)]
#[serde(rename_all = "camelCase")]
#[event(aggregate = "Order", id = order_id, schemas = "schemas")]
pub struct PaymentDeclined {
    pub order_id: String,
    pub reason: String,
}

/// How an order goes on and ends: one event type a variant.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, DomainEvent)]
#[serde(rename_all_fields = "camelCase")]
#[event(aggregate = "Order", id = order_id, schemas = "schemas")]
pub enum OrderProgress {
    #[event(type = "OrderConfirmed")]
    Confirmed { order_id: String, shipped_at: Option<String> },
    #[event(type = "OrderCancelled")]
    Cancelled { order_id: String, reason: String },
    #[event(type = "OrderShipped")]
    Shipped { order_id: String, shipped_at: String },
}
