//! The parts of the order service that can be processes of their own.

use clap::ValueEnum;
use jitney::handler::HandlerSet;
use jitney::prelude::*;

use super::fulfilment::Fulfilment;
use super::intake::{create_order, note_order};
use super::notification::notify_customer;
use super::payment::take_payment;
use super::projection;
use super::stock::{release_stock, reserve_stock};

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Places the orders of the input, creates them, and ends.
    Intake,
    /// Sets goods aside, and puts them back.
    Stock,
    /// Takes payments, and declines large ones.
    Payment,
    /// Confirms, ships and cancels.
    Fulfilment,
    /// Sends notifications.
    Notification,
    /// Writes the shared read model.
    Projection,
    /// Reads the shared read model until all orders are at their end, prints the figures, and ends.
    Report,
}

impl Role {
    /// Those that work on orders.
    pub const SERVICES: [Role; 5] =
        [Role::Intake, Role::Stock, Role::Payment, Role::Fulfilment, Role::Notification];

    /// The handlers of the role: all processes of one role share the events of its group.
    pub fn handlers(self) -> HandlerSet {
        match self {
            Role::Intake => handlers![create_order, note_order],
            Role::Stock => handlers![reserve_stock, release_stock],
            Role::Payment => handlers![take_payment],
            Role::Fulfilment => handlers![Fulfilment],
            Role::Notification => handlers![notify_customer],
            Role::Projection => projection::handlers(),
            Role::Report => handlers![],
        }
    }

    /// Whether it goes on until it is told to stop.
    pub fn is_service(self) -> bool {
        !matches!(self, Role::Intake | Role::Report)
    }
}
