//! Jitney's memory crate.
