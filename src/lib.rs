//! A pluggable, broker-agnostic event bus: annotate events and handlers, choose the broker by a URL.

pub use jitney_core::*;
