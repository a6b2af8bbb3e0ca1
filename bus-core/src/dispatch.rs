//! From a delivery to its settlement: decode → route → keyed lane → handler → commit → settle.
//!
//! Read in this order: [`Router`] (which handler), `lanes` and `places` (when), `process` (the chain around the handler:
//! `prepare`, `attempt`, `decide`), `commit` (what follows from success), [`Dispatcher`] (a batch), `subscription_loop`
//! (a group's life), `settling` (what the broker is told). A handler that asks for a transaction goes through
//! `in_transaction` instead of `commit`.

mod attempt;
mod commit;
mod decide;
mod dispatcher;
mod group;
mod held;
mod in_flight;
mod in_transaction;
mod lanes;
mod load;
mod places;
mod prepare;
mod process;
mod router;
mod settling;
mod stats;
mod subscription_loop;
mod trace;

pub use dispatcher::Dispatcher;
pub use group::Limits;
pub(crate) use group::{DeadLetterHook, Group};
pub(crate) use router::Route;
pub use router::Router;
pub(crate) use settling::leave;
pub(crate) use stats::Counters;
pub use stats::GroupStats;
pub(crate) use subscription_loop::SubscriptionLoop;
