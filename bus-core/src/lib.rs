//! The core of Jitney: events, envelopes, codecs, the `Transport` trait, routing and dispatch.
//!
//! Applications use the facade crate `jitney`; this crate is for authors of backends, codecs, stores and
//! extractors, and changes less often. No broker's types appear in it.
//!
//! Publishing, each step one module, in the order in which an event passes them:
//! [`event`] → [`envelope`](Envelope) → [`publish`] (layers) → [`codec`] → [`transport`].
//!
//! Consuming: [`transport`] (a source) → [`codec`] → dispatch → [`middleware`] → [`handler`] → settle.

// So that paths in generated code work in this crate's own tests.
extern crate self as jitney_core;

#[doc(hidden)]
pub mod __private;
pub mod admin;
pub mod app;
mod capabilities;
pub mod codec;
pub mod dead_letter;
pub mod dispatch;
mod env;
mod envelope;
mod error;
pub mod event;
pub mod handler;
mod id;
pub mod inbox;
pub mod message;
pub mod metadata;
pub mod middleware;
pub mod outbox;
pub mod personal;
pub mod processed;
pub mod publish;
mod raw_event;
pub mod transport;
pub mod url;

pub use app::{App, AppPart};
pub use capabilities::Capabilities;
pub use env::{Elapsed, Env};
pub use envelope::{Envelope, Head};
pub use error::{Error, ErrorKind, error_chain, panic_message};
pub use event::{DomainEvent, Keyed};
pub use id::Id;
pub use metadata::Metadata;
pub use publish::{Bus, Publisher};
pub use raw_event::RawEvent;
