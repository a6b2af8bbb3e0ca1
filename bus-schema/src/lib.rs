//! Contracts of events: what their payloads look like is locked in a folder, and every change of it is a decision.
//!
//! ```no_run
//! use jitney_derive::DomainEvent;
//! use jitney_schema::{check, events};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, DomainEvent, schemars::JsonSchema)]
//! #[event(aggregate = "Order", id = order_id, version = "1.1", crate = "jitney_core")]
//! struct OrderPaid {
//!     order_id: String,
//!     cents: u64,
//!     #[serde(default)]
//!     note: Option<String>,
//! }
//!
//! // In a test: writes the folder the first time, and compares with it afterwards.
//! check("schemas", events![OrderPaid]);
//! ```
//!
//! [`Contract`] has the rules between versions, by Confluent's names; [`compatibility`] compares two schemas.

mod asyncapi;
#[cfg(feature = "validation")]
mod bounds;
pub mod compatibility;
mod contract;
mod error;
mod events;
mod lock;
mod problem;
mod rule;
mod sample;
mod shape;
#[cfg(feature = "validation")]
mod validation;

pub use asyncapi::{AsyncApi, asyncapi};
pub use contract::{ACCEPT_VARIABLE, Accept, Change, Contract, Verified, check};
pub use error::{Error, ErrorKind};
pub use events::{Described, Events};
pub use problem::{Problem, ProblemKind};
pub use rule::Rule;
/// Makes the schemas: an event derives `schemars::JsonSchema`.
pub use schemars;
#[cfg(feature = "validation")]
pub use validation::{Fault, Invalid, Validation};
