//! The suite that every transport passes.
//!
//! The author of a backend writes a [`Fixture`], which opens transports to one broker, and lets
//! [`conformance_tests!`](crate::conformance_tests) make one test of each check:
//!
//! ```
//! # use std::sync::Arc;
//! # use jitney_core::{Error, transport::Transport};
//! use jitney_testkit::conformance::Fixture;
//!
//! struct Nats { url: String }
//!
//! #[async_trait::async_trait]
//! impl Fixture for Nats {
//!     async fn transport(&self) -> Result<Arc<dyn Transport>, Error> {
//! #       Err(Error::config("no server"))
//! #       /*
//!         Ok(Arc::new(NatsTransport::connect(&self.url).await?))
//! #       */
//!     }
//! }
//!
//! mod nats {
//!     use super::Nats;
//!
//!     jitney_testkit::conformance_tests!(Real, Nats { url: "nats://localhost".to_owned() });
//! }
//! # fn main() {}
//! ```
//!
//! Which checks run is decided by the transport's [`Capabilities`](jitney_core::Capabilities): what it claims it
//! must show, and what it does not claim is reported as skipped. [`run`] gives the whole [`Report`] at once, and
//! [`answers`] what a backend observably does, by which a fake is compared with its server.
//!
//! Nothing in the suite sleeps: it waits for what must come, for at most [`Fixture::patience`], and believes that
//! nothing comes after [`Fixture::quiet`]. Under a paused clock both cost nothing.

mod checks;
mod content;
mod crew;
mod demand;
mod disturbance;
pub(crate) mod failure;
mod fidelity;
mod fixture;
mod groups;
mod macros;
mod member;
mod publish;
mod replay;
mod report;
mod run;
mod secrets;
mod settling;
mod transactions;
mod trial;

pub use fixture::Fixture;
pub use report::{Answer, CheckResult, Promise, Report, Verdict};
pub use run::{Clock, answers, check_names, promises, run, run_only, test};
