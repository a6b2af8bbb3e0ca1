//! A pluggable, broker-agnostic event bus: annotate events and handlers, choose the broker by a URL.
//!
//! ```
//! use jitney::prelude::*;
//!
//! #[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
//! #[event(aggregate = "Order", id = order_id)]
//! struct OrderPaid { order_id: String, cents: u64 }
//!
//! #[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
//! #[event(aggregate = "Order", id = order_id)]
//! struct OrderShipped { order_id: String }
//!
//! #[handler(group = "shipping")]
//! async fn ship(paid: Envelope<OrderPaid>) -> OrderShipped {
//!     OrderShipped { order_id: paid.order_id.clone() }
//! }
//!
//! let handlers = handlers![ship];
//! assert_eq!(handlers.len(), 1);
//! ```

mod connect;
pub mod prelude;
#[cfg(feature = "signal")]
mod signal;

pub use connect::{Connect, URL_VARIABLE};
#[cfg(feature = "signal")]
pub use signal::shutdown_signal;

/// What `main` may return: `fn main() -> jitney::Result<()>`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The transport for Amazon EventBridge, with its builder, its plans, and the same handlers on AWS Lambda.
#[cfg(feature = "eventbridge")]
#[doc(inline)]
pub use jitney_eventbridge as eventbridge;

/// The transport for Apache Kafka, with its builder.
#[cfg(feature = "kafka")]
#[doc(inline)]
pub use jitney_kafka as kafka;

/// The in-memory transport, with its builder and its faults.
#[cfg(feature = "memory")]
#[doc(inline)]
pub use jitney_memory as memory;

/// Personal data: sealed for the person it is about, and forgotten with that person's key.
#[cfg(feature = "privacy")]
#[doc(inline)]
pub use jitney_privacy as privacy;

/// The transport for RabbitMQ, with its builder.
#[cfg(feature = "rabbitmq")]
#[doc(inline)]
pub use jitney_rabbitmq as rabbitmq;

/// Schema registries: schemas of events are registered and checked at the start, and their ids travel before bodies in JSON,
/// Avro or Protobuf.
#[cfg(feature = "registry")]
#[doc(inline)]
pub use jitney_registry as registry;

/// Event sourcing: aggregates, event stores, snapshots.
#[cfg(feature = "sourcing")]
#[doc(inline)]
pub use jitney_sourcing as sourcing;

/// Contracts of events: what their payloads look like, locked in a folder and compared by a test.
#[cfg(feature = "schema")]
#[doc(inline)]
pub use jitney_schema as contract;

#[cfg(feature = "schema")]
pub use jitney_schema::asyncapi;

/// Event stores, outboxes and inboxes on PostgreSQL and SQLite.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
#[doc(inline)]
pub use jitney_sql as sql;

#[doc(hidden)]
pub use jitney_core::__private;
pub use jitney_core::*;
#[cfg(feature = "sourcing")]
pub use jitney_derive::projection;
pub use jitney_derive::{DomainEvent, OneOf, handler, handlers, test};
