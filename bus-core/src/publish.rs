//! Publishing: event → envelope → publish layers → codec → transport → the broker's ack.
//!
//! Read [`Publisher`], then [`PublishLayer`], then the codec.

mod bus;
mod encode;
mod layer;
mod layers;
mod propagate;
mod publisher;
mod republish;

pub use bus::{Bus, BusBuilder};
pub(crate) use encode::{Draft, count_published, event_types};
pub use layer::{Origin, OutgoingEvent, PublishLayer};
pub use propagate::Propagator;
pub use publisher::{PublishBatch, PublishError, Publisher};
