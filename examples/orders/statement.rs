//! Customer statements: what each customer has ordered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jitney::prelude::*;
use rust_decimal::Decimal;

use super::events::OrderCreated;
use super::money;

/// The net of each order, by customer.
#[derive(Debug, Clone, Default)]
pub struct Statements(Arc<Mutex<BTreeMap<String, BTreeMap<String, Decimal>>>>);

/// What one customer has ordered.
pub struct Statement {
    pub customer_id: String,
    pub orders: usize,
    pub net: Decimal,
}

impl Statements {
    /// The customers with the largest net, in descending order.
    pub fn top(&self, number: usize) -> Vec<Statement> {
        let customers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let statement = |(customer_id, orders): (&String, &BTreeMap<String, Decimal>)| Statement {
            customer_id: customer_id.clone(),
            orders: orders.len(),
            net: orders.values().sum(),
        };
        let mut statements: Vec<_> = customers.iter().map(statement).collect();
        statements.sort_by(|a, b| b.net.cmp(&a.net).then_with(|| a.customer_id.cmp(&b.customer_id)));
        statements.truncate(number);
        statements
    }
}

#[handler(group = "customer_statement", idempotent)]
pub async fn add_to_statement(order: OrderCreated, State(statements): State<Statements>) {
    let net = money::net(&order.items);
    let mut customers = statements.0.lock().unwrap_or_else(PoisonError::into_inner);
    customers.entry(order.customer_id).or_default().insert(order.order_id, net);
}
