//! The application: one function that production and tests call.

use jitney::prelude::*;
use jitney::processed::MemoryProcessedEvents;

use super::audit::{Audit, record};
use super::fulfilment::Fulfilment;
use super::handled::Handled;
use super::intake::{Orders, create_order, note_order};
use super::notification::{Gateway, notify_customer};
use super::payment::take_payment;
use super::statement::{Statements, add_to_statement};
use super::stock::{Stock, release_stock, reserve_stock};
use super::summary::OrderSummary;

/// Everything that handlers build up, and that the report reads.
#[derive(Clone, Default)]
pub struct Views {
    pub stock: Stock,
    pub gateway: Gateway,
    pub summary: OrderSummary,
    pub statements: Statements,
    pub audit: Audit,
    pub handled: Handled,
}

/// The services: all but the read model.
pub fn services(bus: Bus, views: &Views) -> App {
    // All state ends with the process, so what was handled may be forgotten with it, on any bus.
    let processed = MemoryProcessedEvents::new(bus.env().clone());
    App::new("orders", bus)
        .processed_events(processed)
        .state(Orders::default())
        .state(views.stock.clone())
        .state(views.gateway.clone())
        .state(views.statements.clone())
        .state(views.audit.clone())
        .layer(views.handled.clone())
        .handlers(handlers![create_order, note_order, reserve_stock, release_stock, take_payment, Fulfilment])
        .handlers(handlers![add_to_statement, notify_customer, record])
}

/// The whole application.
pub fn app(bus: Bus, views: &Views) -> App {
    services(bus, views).handlers(handlers![(views.summary.clone())])
}
