//! Jitney's testkit crate.
