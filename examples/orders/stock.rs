//! Stock: goods are set aside for an order, and put back when it cannot be paid. What is missing is ordered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jitney::prelude::*;

use crate::events::{Item, OrderCreated, PaymentDeclined, StockReleased, StockReserved};
use crate::money;

/// The warehouse.
#[derive(Debug, Clone, Default)]
pub struct Stock(Arc<Mutex<Shelves>>);

#[derive(Debug, Default)]
struct Shelves {
    on_hand: HashMap<String, u64>,
    reserved: HashMap<String, Vec<Item>>,
}

impl Stock {
    /// Sets the goods of an order aside, once, however often it is asked.
    fn reserve(&self, order: &OrderCreated) {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Shelves { on_hand, reserved } = &mut *shelves;
        reserved.entry(order.order_id.clone()).or_insert_with(|| {
            for item in &order.items {
                let here = on_hand.entry(item.product_id.clone()).or_default();
                *here = here.saturating_sub(item.quantity.into());
            }
            order.items.clone()
        });
    }

    /// Puts the goods of an order back, once.
    fn release(&self, order_id: &str) {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for item in shelves.reserved.get_mut(order_id).map(std::mem::take).into_iter().flatten() {
            *shelves.on_hand.entry(item.product_id).or_default() += u64::from(item.quantity);
        }
    }
}

#[handler(group = "stock", concurrency = 32, idempotent)]
pub async fn reserve_stock(order: OrderCreated, State(stock): State<Stock>) -> StockReserved {
    stock.reserve(&order);
    StockReserved { amount: money::net(&order.items), order_id: order.order_id, shipped_at: order.shipped_at }
}

/// The compensation of `reserve_stock`.
#[handler(group = "stock", concurrency = 32, idempotent)]
pub async fn release_stock(declined: PaymentDeclined, State(stock): State<Stock>) -> StockReleased {
    stock.release(&declined.order_id);
    StockReleased { order_id: declined.order_id, reason: declined.reason }
}
