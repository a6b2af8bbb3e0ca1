//! The read model `order_summary`: a row for each order, made of facts that may come in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jitney::Id;
use jitney::prelude::*;
use rust_decimal::Decimal;
use tokio::sync::watch;

use super::events::{OrderCreated, OrderProgress, OrderRefused};
use super::money;

/// The table.
#[derive(Debug, Clone)]
pub struct OrderSummary {
    table: Arc<Mutex<Table>>,
    tally: watch::Sender<Tally>,
}

/// All rows.
#[derive(Debug, Default)]
pub struct Table {
    pub rows: BTreeMap<String, Row>,
    pub refused: BTreeSet<Id>,
}

/// What is known of one order.
#[derive(Debug, Default)]
pub struct Row {
    pub created: Option<Created>,
    pub confirmed: bool,
    pub cancelled: bool,
    pub shipped: bool,
}

/// What the order was created with.
#[derive(Debug)]
pub struct Created {
    pub lines: usize,
    pub gross: Decimal,
    pub net: Decimal,
    pub to_be_shipped: bool,
}

/// How far the orders are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub created: usize,
    pub refused: usize,
    pub finished: usize,
}

impl Tally {
    /// How many orders nothing more will happen to.
    pub fn done(&self) -> usize {
        self.finished + self.refused
    }
}

impl Row {
    /// Whether nothing more will happen to the order.
    fn is_final(&self) -> bool {
        let to_be_shipped = self.created.as_ref().is_some_and(|created| created.to_be_shipped);
        self.created.is_some() && (self.cancelled || self.shipped || (self.confirmed && !to_be_shipped))
    }
}

impl Default for OrderSummary {
    fn default() -> Self {
        OrderSummary { table: Arc::default(), tally: watch::channel(Tally::default()).0 }
    }
}

impl OrderSummary {
    /// The table as it is.
    pub fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the orders are, now and whenever that changes.
    pub fn tally(&self) -> watch::Receiver<Tally> {
        self.tally.subscribe()
    }

    /// Whether the order exists.
    pub fn is_created(&self, order_id: &str) -> bool {
        self.table().rows.get(order_id).is_some_and(|row| row.created.is_some())
    }

    /// The orders that are known and not at their end.
    pub fn unfinished(&self) -> Vec<String> {
        let table = self.table();
        table.rows.iter().filter(|(_, row)| !row.is_final()).map(|(order_id, _)| order_id.clone()).collect()
    }

    fn update(&self, order_id: &str, change: impl FnOnce(&mut Row)) {
        let mut table = self.table();
        let row = table.rows.entry(order_id.to_owned()).or_default();
        let before = (row.created.is_some(), row.is_final());
        change(row);
        let after = (row.created.is_some(), row.is_final());
        self.tally.send_if_modified(|tally| {
            // Facts are only ever added, so that no order goes back.
            tally.created += usize::from(after.0 && !before.0);
            tally.finished += usize::from(after.1 && !before.1);
            before != after
        });
    }
}

#[handler(group = "order_summary", idempotent)]
impl OrderSummary {
    #[handler]
    async fn created(&self, order: OrderCreated) {
        let created = Created {
            lines: order.items.len(),
            gross: money::gross(&order.items),
            net: money::net(&order.items),
            to_be_shipped: order.shipped_at.is_some(),
        };
        self.update(&order.order_id, |row| {
            row.created.get_or_insert(created);
        });
    }

    #[handler]
    async fn refused(&self, refusal: Envelope<OrderRefused>) {
        let mut table = self.table();
        table.refused.insert(refusal.event_id().clone());
        self.tally.send_modify(|tally| tally.refused = table.refused.len());
    }

    #[handler]
    async fn progressed(&self, progress: OrderProgress) {
        match progress {
            OrderProgress::Confirmed { order_id, .. } => self.update(&order_id, |row| row.confirmed = true),
            OrderProgress::Cancelled { order_id, .. } => self.update(&order_id, |row| row.cancelled = true),
            OrderProgress::Shipped { order_id, .. } => self.update(&order_id, |row| row.shipped = true),
        }
    }
}
