//! The application: one function that production and tests call.

use jitney::prelude::*;
use jitney::processed::MemoryProcessedEvents;

use super::audit::{Audit, record};
use super::handled::Handled;
use super::intake::Placed;
use super::notification::{Gateway, notify_customer};
use super::role::Role;
use super::scope::Scope;
use super::sourced::{Orders, SourcedFulfilment, SourcedStock, place_order, settle_payment};
use super::statement::{Statements, add_to_statement};
use super::stock::Stock;
use super::summary::OrderSummary;

/// Everything that handlers build up, and that the report reads.
#[derive(Clone, Default)]
pub struct Views {
    /// Out of which events.
    pub scope: Scope,
    pub stock: Stock,
    pub gateway: Gateway,
    pub summary: OrderSummary,
    pub statements: Statements,
    pub audit: Audit,
    pub handled: Handled,
    /// Where recipients are known.
    #[cfg(feature = "privacy")]
    pub mail: Option<super::mail::Mail>,
}

/// The whole application.
pub fn app(bus: Bus, views: &Views) -> App {
    let app = services(bus, views).handlers(handlers![(views.summary.clone())]);
    #[cfg(feature = "privacy")]
    if let Some(mail) = &views.mail {
        use super::mail::{address, write_letter};
        return app.state(mail.clone()).handlers(handlers![address, write_letter]);
    }
    app
}

/// All but the read model.
pub fn services(bus: Bus, views: &Views) -> App {
    parts(bus, views, &Role::SERVICES).handlers(handlers![add_to_statement, record])
}

/// The whole application where orders are sourced: the services tell the `orders`, all others are the same.
pub fn sourced(bus: Bus, views: &Views, orders: Orders) -> App {
    let app = onlookers(bus, views).state(orders).handlers(handlers![
        place_order,
        SourcedStock,
        settle_payment,
        SourcedFulfilment,
        notify_customer
    ]);
    #[cfg(feature = "privacy")]
    if let Some(mail) = &views.mail {
        use super::mail::{tell_recipient, write_letter};
        return app.state(mail.clone()).handlers(handlers![tell_recipient, write_letter]);
    }
    app
}

/// What looks on: the read model, the statements and the audit.
pub fn onlookers(bus: Bus, views: &Views) -> App {
    base(bus, views).handlers(handlers![(views.summary.clone()), add_to_statement, record])
}

/// What a process does that has these roles alone.
pub fn parts(bus: Bus, views: &Views, roles: &[Role]) -> App {
    roles.iter().fold(base(bus, views), |app, role| app.handlers(role.handlers()))
}

/// What all processes do together.
pub fn every_part(bus: Bus, views: &Views) -> App {
    parts(bus, views, &Role::SERVICES).handlers(Role::Projection.handlers())
}

fn base(bus: Bus, views: &Views) -> App {
    // All state ends with the process, so what was handled may be forgotten with it, on any bus.
    let processed = MemoryProcessedEvents::new(bus.env().clone());
    let app = App::new("orders", bus)
        .processed_events(processed)
        .state(Placed::default())
        .state(views.stock.clone())
        .state(views.gateway.clone())
        .state(views.statements.clone())
        .state(views.audit.clone());
    views.scope.keep(app).layer(views.handled.clone())
}
