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

pub mod prelude;

#[doc(hidden)]
pub use jitney_core::__private;
pub use jitney_core::*;
pub use jitney_derive::{DomainEvent, handler, handlers, test};
