//! Intake: commands become orders, unless there is one of that id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jitney::Id;
use jitney::prelude::*;

use super::events::{OrderCreated, OrderRefused, PlaceOrder};

/// Which command created which order.
#[derive(Debug, Clone, Default)]
pub struct Placed(Arc<Mutex<HashMap<String, Id>>>);

impl Placed {
    /// Whether it is `command` that creates the order; the same command always gets the same answer.
    fn create(&self, order_id: &str, command: &Id) -> bool {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        orders.entry(order_id.to_owned()).or_insert_with(|| command.clone()) == command
    }
}

#[handler(group = "intake", concurrency = 32, idempotent)]
pub async fn create_order(command: Envelope<PlaceOrder>, State(placed): State<Placed>) -> Outcome {
    if !placed.create(&command.order_id, command.event_id()) {
        let order_id = command.order_id.clone();
        return Outcome::publish(OrderRefused { order_id, reason: "Order already exists".to_owned() });
    }
    Outcome::publish(OrderCreated::from(command.into_payload()))
}

/// Learns of orders that came to be in another way than by a command of this run.
#[handler(group = "intake", concurrency = 32, idempotent)]
pub async fn note_order(order: Envelope<OrderCreated>, State(placed): State<Placed>) {
    let cause = order.metadata().causation_id.as_ref();
    placed.create(&order.order_id, cause.unwrap_or(order.event_id()));
}
