//! Jitney's derive crate.
