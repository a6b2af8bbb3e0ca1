//! What the memory transport promises, by each broker's rules.
#![allow(clippy::unwrap_used)]

mod atomic;
mod bounds;
mod event_bridge;
mod every_semantics;
mod exactly_once;
mod exactly_once_under_faults;
mod faults;
mod kafka;
mod model;
mod rabbit_mq;
mod rebalance;
mod replay;
mod support;
