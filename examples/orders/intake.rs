//! Intake: commands become orders, unless there is one of that id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jitney::Id;
use jitney::prelude::*;

use super::events::{OrderCreated, OrderRefused, PlaceOrder};

/// Which command created which order.
#[derive(Debug, Clone, Default)]
pub struct Orders(Arc<Mutex<HashMap<String, Id>>>);

impl Orders {
    /// Whether it is `command` that creates the order; the same command always gets the same answer.
    fn create(&self, order_id: &str, command: &Id) -> bool {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        orders.entry(order_id.to_owned()).or_insert_with(|| command.clone()) == command
    }
}

#[handler(group = "intake", concurrency = 32, idempotent)]
pub async fn create_order(command: Envelope<PlaceOrder>, State(orders): State<Orders>) -> Outcome {
    if !orders.create(&command.order_id, command.event_id()) {
        let order_id = command.order_id.clone();
        return Outcome::publish(OrderRefused { order_id, reason: "Order already exists".to_owned() });
    }
    let PlaceOrder { order_id, customer_id, ordered_at, shipped_at, items } = command.into_payload();
    let currency = "USD".to_owned();
    Outcome::publish(OrderCreated { order_id, customer_id, ordered_at, shipped_at, items, currency })
}

/// Learns of orders that came to be in another way than by a command of this run.
#[handler(group = "intake", concurrency = 32, idempotent)]
pub async fn note_order(order: Envelope<OrderCreated>, State(orders): State<Orders>) {
    let cause = order.metadata().causation_id.as_ref();
    orders.create(&order.order_id, cause.unwrap_or(order.event_id()));
}
