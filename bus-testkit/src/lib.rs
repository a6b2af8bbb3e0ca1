//! Tests of applications, and tests of backends.
//!
//! [`TestApp`] runs the production builder of an application on the memory bus, in virtual time, under seeded faults.
//! [`conformance`] is the suite that every transport passes; [`history`] judges what a run recorded, be it of one
//! check or of many processes under faults; a [`proxy`] cuts and slows
//! the connections between them. [`given`] tests an aggregate by its events alone, [`project`] a projection, [`given_process`] a
//! process manager by its inputs and the time that passes, and [`stores`] is the suite that every event store passes. A
//! [`mirror`] is a sealer of personal data for all of them.

pub mod conformance;
pub mod harness;
pub mod history;
pub mod mirror;
mod process_scenario;
mod projected;
pub mod proxy;
mod scenario;
pub mod stores;

pub use harness::{TestApp, TestConfig, TestResult, TestRun, run_test};
pub use process_scenario::{ExpectedEvents, GivenProcess, ProcessSteps, given_process};
pub use projected::{Projected, project, project_in};
pub use scenario::{Given, When, given};
