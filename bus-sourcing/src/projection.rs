//! Projections: read models that follow the events of a store.
//!
//! A [`Projection`] says which events it is for and what each of them changes in its read model. A [`Projector`] reads the
//! events, and applies them in transactions of the read model's database in which the checkpoint moves too: what is in the read
//! model is what follows from the events up to the checkpoint, neither more nor less, whatever crashes.
//!
//! Where the events come by a bus instead, a [`BusProjector`] has them applied, each once.
//!
//! The way of an event: [`projector`](Projector) → worker (leases, builds) → shard (pages of the store) → step (one transaction)
//! → [`ReadModel`], the seam to the database.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::time::Duration;
//!
//! use jitney_core::handler::HandlerError;
//! # use jitney_core::Env;
//! # use jitney_derive::DomainEvent;
//! # use jitney_sourcing::{Append, EventStore, Expected, NewEvent, StreamId};
//! use jitney_sourcing::{Filter, MemoryReadModel, MemoryStore, Projecting, Projection, Projector, StoredEvent};
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Debug, Serialize, Deserialize, DomainEvent)]
//! # #[event(aggregate = "Account", crate = "jitney_core")]
//! # enum AccountEvent { Deposited { cents: u64 } }
//!
//! struct Balances;
//!
//! impl Projection for Balances {
//!     type Connection = BTreeMap<String, u64>; // the state itself, in the read model in memory
//!
//!     fn name(&self) -> &str { "balances" }
//!     fn filter(&self) -> Filter { Filter::of::<AccountEvent>() }
//!
//!     async fn apply(
//!         &self,
//!         event: &StoredEvent,
//!         at: &mut Projecting<'_, Self::Connection>,
//!     ) -> Result<(), HandlerError> {
//!         let AccountEvent::Deposited { cents } = event.decode().map_err(HandlerError::permanent)?;
//!         *at.connection().entry(event.head().aggregate_id.to_string()).or_default() += cents;
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let (store, model) = (MemoryStore::new(), MemoryReadModel::new());
//! let projector = Projector::new(store.clone(), model.clone(), Balances).start().await?;
//! # let event = NewEvent::new(Env::system().new_id(), Env::system().now(), &AccountEvent::Deposited { cents: 7 })?;
//! # let append = Append::to(StreamId::new("Account", "a-1"), Expected::New, [event]);
//! let position = store.append(append).await?.position;
//! projector.wait_for(&position, Duration::from_secs(5)).await?; // what was just written can be read
//! assert_eq!(model.read("balances", |balances| balances["a-1"]), Some(7));
//! projector.shutdown().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod build;
mod bus;
mod correlation;
mod handle;
mod handler;
mod inline;
mod memory;
mod panics;
mod poison;
mod projector;
mod read_model;
mod rebuilds;
mod record;
mod rest;
mod running;
mod shard;
mod status;
mod step;
mod stopped;
mod swap;
mod worker;

pub use build::{Build, BuildId, BuildState, NewBuild, ShardState};
pub use bus::{BusProjection, BusProjector, BusReadModel, BusTransaction, Mark, OnBusFailure, Received};
pub use handle::ProjectionHandle;
pub use handler::{Projecting, Projection};
pub use inline::{InlineProjection, InlineReadModel, MakeInline};
pub(crate) use memory::KeptUp;
pub use memory::{MemoryReadModel, MemoryTransaction};
pub use poison::{PassedEvent, PoisonEvent};
pub use projector::{OnFailure, Projector};
pub use read_model::{Leased, ReadModel, ReadModelTransaction, ShardLease, Step};
pub use rebuilds::{Rebuilds, Rebuilt};
pub use record::ProjectionRecord;
pub use running::RunningProjector;
pub use status::{Progress, ProjectionLag, ProjectionStatus};
pub use stopped::Stopped;

/// The most shards that a projection can have.
pub const MOST_SHARDS: u16 = jitney_core::outbox::SHARDS;
