//! Proving that a backend keeps its promises.
//!
//! [`conformance`] is the suite that every transport passes; [`history`] judges what a run recorded, be it of one
//! check or of many processes under faults.

pub mod conformance;
pub mod history;
