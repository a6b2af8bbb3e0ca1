//! The suite that every event store passes.
//!
//! The author of a store writes a [`StoreFixture`], which opens handles on one store, and lets
//! [`store_conformance_tests!`](crate::store_conformance_tests) make one test of each check:
//!
//! ```
//! use std::sync::Arc;
//!
//! use jitney_sourcing::{Error, EventStore, MemoryStore};
//! use jitney_testkit::stores::StoreFixture;
//!
//! // Clones of a store in memory share its events; any other store would be opened again by its URL.
//! struct InMemory(MemoryStore);
//!
//! #[async_trait::async_trait]
//! impl StoreFixture for InMemory {
//!     async fn store(&self) -> Result<Arc<dyn EventStore>, Error> {
//!         Ok(Arc::new(self.0.clone()))
//!     }
//! }
//!
//! mod in_memory {
//!     use jitney_sourcing::MemoryStore;
//!
//!     jitney_testkit::store_conformance_tests!(super::InMemory(MemoryStore::new()));
//! }
//! # fn main() {}
//! ```
//!
//! Which checks run is decided by the store's [`StoreCapabilities`](jitney_sourcing::StoreCapabilities) and by what the
//! fixture can do to the server: what is claimed must be shown, and the rest is reported as skipped. [`run`] gives
//! the whole [`Report`](crate::conformance::Report) at once, and [`promises`] what each check holds stores to.
//!
//! A store may hold anything before: each check works with aggregate types that are new. Nothing in the suite
//! sleeps: it waits for what must come, for at most [`StoreFixture::patience`].

mod appends;
mod batches;
mod checks;
mod commands;
mod content;
mod correlations;
mod counter;
mod durability;
mod expectations;
mod fidelity;
mod fixture;
mod global_reads;
mod killed_writers;
mod macros;
mod model;
mod personal;
mod races;
mod reads;
mod rehydration;
mod run;
mod secrets;
mod snapshots;
mod streams;
mod trial;
mod upcasts;
mod warnings;

pub use fixture::{Disturbance, StoreFixture};
pub use killed_writers::write_until_killed;
pub use run::{check_names, promises, run, run_only, test};
