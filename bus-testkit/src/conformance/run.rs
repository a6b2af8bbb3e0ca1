//! Running checks, all of them or one by name.

use std::collections::BTreeMap;
use std::future::Future;

use super::checks::{CHECKS, Check};
use super::failure::Failure;
use super::fixture::Fixture;
use super::report::{Answer, CheckResult, Promise, Report, Verdict};
use super::trial::Trial;

/// A check may take this many times the fixture's patience.
const PATIENCE_PER_CHECK: u32 = 30;

/// The names of all checks, in the order in which they run.
pub fn check_names() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|check| check.name)
}

/// What each check holds transports to, in the order in which they run.
pub fn promises() -> impl Iterator<Item = Promise> {
    let promise = |check: &Check| {
        let (words, capability) = (check.promise, check.needs.capability());
        Promise { check: check.name, words, capability }
    };
    CHECKS.iter().map(promise)
}

/// Runs every check that the backend's capabilities call for, one after the other, each with topics and groups of
/// its own.
pub async fn run(fixture: &dyn Fixture) -> Report {
    run_those(fixture, CHECKS.iter()).await
}

/// Runs the check called `name`.
///
/// # Panics
///
/// If no check has this name.
pub async fn run_only(fixture: &dyn Fixture, name: &str) -> Report {
    let check = CHECKS.iter().find(|check| check.name == name);
    let check = check.unwrap_or_else(|| panic!("no conformance check is called {name:?}; see check_names()"));
    run_those(fixture, std::iter::once(check)).await
}

/// What a backend answers to each check, to be compared with what another of the same semantics answers: a fake
/// and its server give equal maps.
pub async fn answers(fixture: &dyn Fixture) -> BTreeMap<&'static str, Answer> {
    run(fixture).await.checks.into_iter().map(|check| (check.name, check.into())).collect()
}

async fn run_those(fixture: &dyn Fixture, those: impl Iterator<Item = &Check>) -> Report {
    let mut report = Report { backend: "unknown", checks: Vec::new() };
    for check in those {
        let (backend, result) = run_one(fixture, check).await;
        report.backend = backend.unwrap_or(report.backend);
        report.checks.push(result);
    }
    report
}

async fn run_one(fixture: &dyn Fixture, check: &Check) -> (Option<&'static str>, CheckResult) {
    let result = |verdict, facts| CheckResult { name: check.name, promise: check.promise, verdict, facts };
    let capabilities = match fixture.transport().await {
        Ok(transport) => transport.capabilities().clone(),
        Err(error) => {
            let verdict = Verdict::Failed(format!(
                "the fixture opened no transport: {}",
                jitney_core::error_chain(&error)
            ));
            return (None, result(verdict, BTreeMap::new()));
        }
    };
    let backend = Some(capabilities.backend);
    let trial = Trial::new(fixture, capabilities, check.name);
    if let Some(reason) = check.needs.missing(&trial) {
        return (backend, result(Verdict::Skipped(reason), BTreeMap::new()));
    }
    let limit = fixture.patience() * PATIENCE_PER_CHECK;
    let verdict = match trial.env.timeout(limit, (check.run)(&trial)).await {
        Ok(Ok(())) => trial.skipped().map_or(Verdict::Passed, Verdict::Skipped),
        Ok(Err(Failure(reason))) => Verdict::Failed(reason),
        Err(_) => Verdict::Failed(format!("the check was not done within {limit:?}")),
    };
    (backend, result(verdict, trial.facts()))
}

/// Which clock a check runs by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Time moves only while nothing can run: for backends without a server.
    Virtual,
    /// The clock of the system.
    Real,
}

/// Runs the check called `name` in a runtime of its own; what [`conformance_tests!`](crate::conformance_tests)
/// expands to.
///
/// # Panics
///
/// If the check fails, with the report as the message, or if no runtime can be built.
pub fn test<F: Fixture>(name: &str, clock: Clock, fixture: impl Future<Output = F>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(clock == Clock::Virtual).build();
    let runtime = runtime.expect("a runtime of the current thread can be built");
    runtime.block_on(async { run_only(&fixture.await, name).await.assert_passed() });
}
