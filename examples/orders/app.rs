//! The application: one function that production and tests call.

use jitney::prelude::*;

use crate::audit::{Audit, Handled, record};
use crate::fulfilment::Fulfilment;
use crate::intake::{Orders, create_order};
use crate::notification::{Notified, notify_customer};
use crate::payment::take_payment;
use crate::statement::{Statements, add_to_statement};
use crate::stock::{Stock, release_stock, reserve_stock};
use crate::summary::OrderSummary;

/// Everything that handlers build up, and that the report reads.
#[derive(Clone, Default)]
pub struct Views {
    pub summary: OrderSummary,
    pub statements: Statements,
    pub audit: Audit,
    pub handled: Handled,
    pub notified: Notified,
}

/// The services without the read model.
pub fn services(bus: Bus, views: &Views) -> App {
    App::new("orders", bus)
        .state(Orders::default())
        .state(Stock::default())
        .state(views.statements.clone())
        .state(views.audit.clone())
        .state(views.notified.clone())
        .layer(views.handled.clone())
        .handlers(handlers![create_order, reserve_stock, release_stock, take_payment, Fulfilment])
        .handlers(handlers![add_to_statement, notify_customer, record])
}

/// The whole application.
pub fn app(bus: Bus, views: &Views) -> App {
    services(bus, views).handlers(handlers![(views.summary.clone())])
}
