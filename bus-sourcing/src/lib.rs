//! Event sourcing: the events of an aggregate are its truth, and its state is what follows from them.
//!
//! An [`Aggregate`] decides what happens and follows from what has happened, both without side effects; a
//! [`Repository`] loads it from an [`EventStore`], has it decide, and appends what it decided.
//!
//! ```
//! use jitney_derive::DomainEvent;
//! use jitney_sourcing::{Aggregate, Events, MemoryStore, Repository};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize, DomainEvent)]
//! #[event(aggregate = "Counter", crate = "jitney_core")]
//! enum CounterEvent {
//!     Incremented { by: u64 },
//! }
//!
//! #[derive(Clone)]
//! struct Increment { by: u64 }
//!
//! #[derive(Default)]
//! struct Counter { total: u64 }
//!
//! impl Aggregate for Counter {
//!     type Event = CounterEvent;
//!     type Command = Increment;
//!     type Error = std::convert::Infallible;
//!
//!     fn decide(&self, command: Increment) -> Result<Events<CounterEvent>, Self::Error> {
//!         Ok(CounterEvent::Incremented { by: command.by }.into())
//!     }
//!
//!     fn evolve(&mut self, CounterEvent::Incremented { by }: &CounterEvent) {
//!         self.total += by;
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let counters = Repository::<Counter>::new(MemoryStore::new());
//! counters.handle("visits", Increment { by: 2 }).await?;
//! let handled = counters.handle("visits", Increment { by: 3 }).await?;
//! assert_eq!((handled.state.total, handled.sequence), (5, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! Authors of stores implement [`EventStore`], and prove it with the suite in `jitney-testkit`.

// So that paths in generated code work in this crate's own tests.
#[cfg(test)]
extern crate self as jitney_sourcing;

mod aggregate;
mod aggregate_root;
mod append;
mod error;
mod event;
mod memory;
mod position;
pub mod process;
pub mod projection;
mod read;
mod repository;
#[cfg(feature = "snapshots")]
mod schema_hash;
mod sealing;
mod snapshot;
mod snapshot_policy;
mod store;
mod stream;
mod subscription;

pub use aggregate::{Aggregate, Events};
pub use aggregate_root::AggregateRoot;
pub use append::{Append, Appended, Expected, StreamAppend, StreamAppended};
pub use error::{Conflict, Duplicate, Error, ErrorKind, Result};
pub use event::{NewEvent, StoredEvent};
pub use memory::MemoryStore;
pub use position::{ParsePositionError, Position};
pub use projection::{
    MemoryReadModel, OnFailure, Projecting, Projection, ProjectionHandle, Projector, ReadModel,
    RunningProjector,
};
pub use read::{Direction, Filter, Page, ReadStream};
pub use repository::{AsOf, HandleError, Handled, Repository, Request};
#[cfg(feature = "snapshots")]
pub use schema_hash::SnapshotState;
pub use sealing::Sealing;
pub use snapshot::{SnapshotStore, StoredSnapshot};
pub use snapshot_policy::SnapshotPolicy;
pub use store::{
    Backlog, EventStore, IntoEventStore, StoreCapabilities, StreamsPerAppend, TransactionalStore,
};
pub use stream::{ListStreams, StreamId, StreamInfo, StreamState};
pub use subscription::Subscription;
