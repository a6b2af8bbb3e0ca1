//! The figures at the end, all of them read from what handlers have built.

use std::collections::BTreeMap;
use std::fmt;

use jitney::dispatch::GroupStats;
use jitney::prelude::Serialize;
use rust_decimal::Decimal;

use super::app::Views;
use super::money::shown;

/// What `--json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub orders: usize,
    pub lines: usize,
    pub gross: String,
    pub net: String,
    pub confirmed: usize,
    pub cancelled: usize,
    pub shipped: usize,
    pub refused: usize,
    pub dead_lettered: u64,
    pub handled: usize,
    pub duplicates: u64,
    pub retries: u64,
    pub events_by_type: BTreeMap<String, usize>,
    pub top_customers: Vec<Customer>,
}

/// One customer of the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    pub customer_id: String,
    pub orders: usize,
    pub net: String,
}

impl Report {
    /// The figures of `views`; what was repeated is in `stats`, by group.
    pub fn new(views: &Views, stats: &BTreeMap<String, GroupStats>) -> Self {
        let table = views.summary.table();
        let created = || table.rows.values().filter_map(|row| row.created.as_ref());
        let sum = |number: fn(&GroupStats) -> u64| stats.values().map(number).sum();
        Report {
            orders: created().count(),
            lines: created().map(|created| created.lines).sum(),
            gross: shown(created().map(|created| created.gross).sum::<Decimal>()),
            net: shown(created().map(|created| created.net).sum::<Decimal>()),
            confirmed: table.rows.values().filter(|row| row.confirmed).count(),
            cancelled: table.rows.values().filter(|row| row.cancelled).count(),
            shipped: table.rows.values().filter(|row| row.shipped).count(),
            refused: table.refused.len(),
            dead_lettered: sum(|group| group.dead_lettered),
            handled: views.handled.distinct(),
            duplicates: sum(|group| group.duplicates),
            retries: sum(|group| group.retried),
            events_by_type: views.audit.by_type(),
            top_customers: views
                .statements
                .top(10)
                .into_iter()
                .map(|statement| Customer {
                    customer_id: statement.customer_id,
                    orders: statement.orders,
                    net: shown(statement.net),
                })
                .collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<20} {:>12}", "event", "number")?;
        for (event_type, number) in &self.events_by_type {
            writeln!(f, "{event_type:<20} {number:>12}")?;
        }
        writeln!(f, "\n{:<10} {:>9} {:>12}", "customer", "orders", "net")?;
        for customer in &self.top_customers {
            writeln!(f, "{:<10} {:>9} {:>12}", customer.customer_id, customer.orders, customer.net)?;
        }
        writeln!(
            f,
            "\norders {}, lines {}, gross {}, net {}",
            self.orders, self.lines, self.gross, self.net
        )?;
        writeln!(
            f,
            "confirmed {}, cancelled {}, shipped {}, refused {}",
            self.confirmed, self.cancelled, self.shipped, self.refused,
        )?;
        write!(
            f,
            "handled {}, retries {}, duplicates {}, dead letters {}",
            self.handled, self.retries, self.duplicates, self.dead_lettered,
        )
    }
}
