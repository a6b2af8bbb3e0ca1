//! Running checks, all of them or one by name.

use std::collections::BTreeMap;
use std::future::Future;

use jitney_core::error_chain;

use super::checks::{CHECKS, Check};
use super::fixture::StoreFixture;
use super::trial::Trial;
use crate::conformance::failure::Failure;
use crate::conformance::{CheckResult, Promise, Report, Verdict};

/// A check may take this many times the fixture's patience.
const PATIENCE_PER_CHECK: u32 = 30;

/// The names of all checks, in the order in which they run.
pub fn check_names() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|check| check.name)
}

/// What each check holds stores to, in the order in which they run; the capability is a field of
/// [`StoreCapabilities`](jitney_sourcing::StoreCapabilities).
pub fn promises() -> impl Iterator<Item = Promise> {
    let promise = |check: &Check| {
        let (words, capability) = (check.promise, check.needs.capability());
        Promise { check: check.name, words, capability }
    };
    CHECKS.iter().map(promise)
}

/// Runs every check that the store's capabilities call for, one after the other, each with aggregate types of its own.
pub async fn run(fixture: &dyn StoreFixture) -> Report {
    run_those(fixture, CHECKS.iter()).await
}

/// Runs the check called `name`.
///
/// # Panics
///
/// If no check has this name.
pub async fn run_only(fixture: &dyn StoreFixture, name: &str) -> Report {
    let check = CHECKS.iter().find(|check| check.name == name);
    let check = check.unwrap_or_else(|| panic!("no check of stores is called {name:?}; see check_names()"));
    run_those(fixture, std::iter::once(check)).await
}

async fn run_those(fixture: &dyn StoreFixture, those: impl Iterator<Item = &Check>) -> Report {
    let mut report = Report { backend: "unknown", checks: Vec::new() };
    for check in those {
        let (backend, verdict) = run_one(fixture, check).await;
        report.backend = backend.unwrap_or(report.backend);
        let (name, promise, facts) = (check.name, check.promise, BTreeMap::new());
        report.checks.push(CheckResult { name, promise, verdict, facts });
    }
    report
}

async fn run_one(fixture: &dyn StoreFixture, check: &Check) -> (Option<&'static str>, Verdict) {
    let trial = match Trial::begin(fixture, check.name).await {
        Ok(trial) => trial,
        Err(error) => {
            let reason = format!("the fixture opened no store: {}", error_chain(&error));
            return (None, Verdict::Failed(reason));
        }
    };
    let backend = Some(trial.capabilities.backend);
    if let Some(reason) = check.needs.missing(&trial) {
        return (backend, Verdict::Skipped(reason));
    }
    let limit = fixture.patience() * PATIENCE_PER_CHECK;
    let verdict = match trial.env.timeout(limit, (check.run)(&trial)).await {
        Ok(Ok(())) => Verdict::Passed,
        Ok(Err(Failure(reason))) => Verdict::Failed(reason),
        Err(_) => Verdict::Failed(format!("the check was not done within {limit:?}")),
    };
    (backend, verdict)
}

/// Runs the check called `name` in a runtime of its own, with threads enough for a race; what
/// [`store_conformance_tests!`](crate::store_conformance_tests) expands to.
///
/// # Panics
///
/// If the check fails, with the report as the message, or if no runtime can be built.
pub fn test<F: StoreFixture>(name: &str, fixture: impl Future<Output = F>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let runtime = runtime.expect("a runtime of several threads can be built");
    runtime.block_on(async { run_only(&fixture.await, name).await.assert_passed() });
}
