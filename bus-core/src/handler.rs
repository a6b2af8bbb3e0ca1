//! Handlers: functions that are run once for each event, with what they ask for.
//!
//! `#[handler]` writes this; it can be written by hand as well:
//!
//! ```
//! use jitney_core::handler::{HandlerSet, HandlerSpec, Outcome, State};
//! # use jitney_core::event::{DecodeError, DomainEvent, EventType, StoredPayload, Version};
//! # #[derive(serde::Serialize, serde::Deserialize)] struct OrderPaid { order_id: String }
//! # impl DomainEvent for OrderPaid {
//! #     const TYPES: &'static [EventType] = &[EventType::new("OrderPaid", "Order", Version::new(1, 0), "Order-events")];
//! #     fn event_type(&self) -> &'static EventType { &Self::TYPES[0] }
//! #     fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> { payload.read() }
//! # }
//! #[derive(Clone)]
//! struct Carrier;
//!
//! async fn ship(paid: OrderPaid, State(_carrier): State<Carrier>) -> Outcome {
//!     if paid.order_id.is_empty() { Outcome::dead_letter("an order without an id") } else { Outcome::ack() }
//! }
//!
//! let handlers = HandlerSet::new().handler(HandlerSpec::new("ship").group("shipping"), ship);
//! assert_eq!(handlers.len(), 1);
//! ```

mod adapter;
mod batch;
mod context;
mod error;
mod extract;
mod input;
mod outcome;
mod set;
mod spec;
mod state;

pub use adapter::HandlerFn;
pub use batch::{Batch, Each};
pub use context::Context;
pub use error::{HandlerError, IntoHandlerError, permanent_if};
pub use extract::{Attempt, FromContext, State};
pub use input::{Accepts, HandlerInput};
pub use outcome::{IntoOutcome, IntoReply, Outcome, Output, OutputEvents, Reply, Verdict};
pub use set::{HandlerEntry, HandlerSet, IntoHandlers, SharedHandlers};
pub(crate) use spec::Need;
pub use spec::{BatchPolicy, HandlerSpec, Idempotency, NaturalKey, Requirement};
pub use state::{FromRef, States};

use futures_util::future::BoxFuture;

/// Anything that can be run for an event: what a [`HandlerFn`] is turned into.
pub trait Handler: Send + Sync + 'static {
    /// Runs for the events of `cx`: one, or a batch where the handler takes batches.
    ///
    /// Dropping the future (on a timeout, or when the assignment is lost) abandons the attempt; the events are
    /// handled again.
    fn handle<'a>(&'a self, cx: Context<'a>) -> BoxFuture<'a, Reply>;
}
