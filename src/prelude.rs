//! What nearly every file of an application needs: `use jitney::prelude::*;`.
//!
//! The derives of `Serialize` and `Deserialize` are serde's own and refer to the crate `serde`, which an application
//! lists among its dependencies.

pub use crate::Connect;
#[cfg(feature = "signal")]
pub use crate::shutdown_signal;
pub use jitney_core::handler::{Batch, Each, HandlerError, HandlerSet, Outcome, State};
pub use jitney_core::{App, AppPart, Bus, DomainEvent, Envelope, Keyed, Metadata, Publisher, RawEvent};
#[cfg(feature = "sourcing")]
pub use jitney_derive::projection;
pub use jitney_derive::{DomainEvent, OneOf, handler, handlers};
#[cfg(feature = "sourcing")]
pub use jitney_sourcing::{Aggregate, AggregateRoot, Events, Projection, Projector, Repository};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use jitney_sql::Tx;
pub use serde::{Deserialize, Serialize};
