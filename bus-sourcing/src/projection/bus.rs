//! Projections whose events come by a bus.
//!
//! The way of an event: dispatcher → the handler of [`BusProjection::handlers`] → one transaction of the read model, in which the
//! event is marked as handled and applied. [`BusReadModel`] is the seam to the database.

mod attempts;
mod batch;
mod feed;
mod handler;
mod mark;
mod projector;
mod read_model;

pub use feed::BusProjection;
pub use mark::Mark;
pub use projector::{BusProjector, OnBusFailure};
pub use read_model::{BusReadModel, BusTransaction, Received};
