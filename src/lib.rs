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

/// The in-memory transport, with its builder and its faults.
#[cfg(feature = "memory")]
#[doc(inline)]
pub use jitney_memory as memory;

#[doc(hidden)]
pub use jitney_core::__private;
pub use jitney_core::*;
pub use jitney_derive::{DomainEvent, handler, handlers, test};
