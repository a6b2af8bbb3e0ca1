//! Tests of applications, and tests of backends.
//!
//! [`TestApp`] runs the production builder of an application on the memory bus, in virtual time, under seeded faults.

pub mod harness;

pub use harness::{TestApp, TestConfig, TestResult, TestRun, run_test};
