//! Aggregates and repositories over a store: deciding, conflicts, commands that come twice, snapshots.

#![allow(clippy::unwrap_used)]

#[path = "sourcing/account.rs"]
mod account;
#[path = "sourcing/as_of.rs"]
mod as_of;
#[path = "sourcing/commands.rs"]
mod commands;
#[path = "sourcing/errors.rs"]
mod errors;
#[path = "sourcing/interposed.rs"]
mod interposed;
#[path = "sourcing/outbox.rs"]
mod outbox;
#[path = "sourcing/roots.rs"]
mod roots;
#[path = "sourcing/scenarios.rs"]
mod scenarios;
#[path = "sourcing/snapshots.rs"]
mod snapshots;
#[path = "sourcing/subscriptions.rs"]
mod subscriptions;
#[path = "sourcing/upcasters.rs"]
mod upcasters;
