//! Stock: goods are set aside for an order, and put back when it cannot be paid. What is missing is ordered.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jitney::prelude::*;

use super::events::{OrderCreated, PaymentDeclined, StockReleased, StockReserved};
use super::item::Item;
use super::money;

/// The warehouse.
#[derive(Debug, Clone, Default)]
pub struct Stock(Arc<Mutex<Shelves>>);

/// What is where: by product, and by order.
#[derive(Debug, Default)]
pub struct Shelves {
    pub products: BTreeMap<String, Shelf>,
    reserved: HashMap<String, Vec<Item>>,
}

/// One product.
#[derive(Debug, Default, Clone, Copy)]
pub struct Shelf {
    pub on_hand: u64,
    pub replenished: u64,
}

impl Shelf {
    /// Takes units away, behind ordering those that are missing.
    fn take(&mut self, units: u64) {
        let missing = units.saturating_sub(self.on_hand);
        self.replenished += missing;
        self.on_hand = self.on_hand + missing - units;
    }
}

impl Stock {
    /// A warehouse with so many units of each product.
    pub fn new(in_stock: &BTreeMap<String, u64>) -> Self {
        let shelf = |units: &u64| Shelf { on_hand: *units, replenished: 0 };
        let products = in_stock.iter().map(|(product, units)| (product.clone(), shelf(units))).collect();
        Stock(Arc::new(Mutex::new(Shelves { products, reserved: HashMap::new() })))
    }

    /// What is where.
    pub fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the goods of an order aside, once, however often it is asked.
    pub fn reserve(&self, order_id: &str, items: &[Item]) {
        let Shelves { products, reserved } = &mut *self.shelves();
        reserved.entry(order_id.to_owned()).or_insert_with(|| {
            for item in items {
                products.entry(item.product_id.clone()).or_default().take(item.quantity.into());
            }
            items.to_vec()
        });
    }

    /// Puts the goods of an order back, once.
    pub fn release(&self, order_id: &str) {
        let Shelves { products, reserved } = &mut *self.shelves();
        for item in reserved.get_mut(order_id).map(std::mem::take).into_iter().flatten() {
            products.entry(item.product_id).or_default().on_hand += u64::from(item.quantity);
        }
    }
}

#[handler(group = "stock", concurrency = 32, idempotent)]
pub async fn reserve_stock(order: OrderCreated, State(stock): State<Stock>) -> StockReserved {
    stock.reserve(&order.order_id, &order.items);
    StockReserved { amount: money::net(&order.items), order_id: order.order_id, shipped_at: order.shipped_at }
}

/// The compensation of `reserve_stock`.
#[handler(group = "stock", concurrency = 32, idempotent)]
pub async fn release_stock(declined: PaymentDeclined, State(stock): State<Stock>) -> StockReleased {
    stock.release(&declined.order_id);
    StockReleased { order_id: declined.order_id, reason: declined.reason }
}
