//! Running a test under one seed or many, each time in a runtime of its own with virtual time.

use std::cell::Cell;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jitney_memory::Semantics;

/// The environment variable that picks one seed of a test that has many.
const SEED_VARIABLE: &str = "JITNEY_SEED";

/// How a test is run: the arguments of `#[jitney::test]`.
#[derive(Debug, Clone, Copy)]
pub struct TestConfig {
    /// The test's name, for messages.
    pub name: &'static str,
    /// The broker whose delivery rules the memory bus follows; Kafka's where it is not said.
    pub semantics: Option<&'static str>,
    /// How many seeds are tried, from 0. With more than one, the bus injects faults ([`Faults::some`](jitney_memory::Faults::some)).
    pub seeds: u64,
    /// The only seed, where there is one: the bus injects the faults of that seed, so that a failure repeats.
    pub seed: Option<u64>,
}

/// What a test may return: nothing, or a `Result` whose error fails it.
pub trait TestResult {
    /// Panics where it is an error.
    fn unwrap_result(self);
}

impl TestResult for () {
    fn unwrap_result(self) {}
}

impl<E: Debug> TestResult for Result<(), E> {
    fn unwrap_result(self) {
        if let Err(error) = self {
            panic!("the test returned an error: {error:?}");
        }
    }
}

/// The seed and the rules under which the running test makes its applications.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions {
    pub(super) seed: u64,
    pub(super) semantics: Semantics,
    pub(super) faults: bool,
}

thread_local! {
    static CONDITIONS: Cell<Conditions> =
        const { Cell::new(Conditions { seed: 0, semantics: Semantics::Kafka, faults: false }) };
}

/// The conditions of the test that runs on this thread.
pub(super) fn conditions() -> Conditions {
    CONDITIONS.get()
}

/// Runs `test` once for each seed of `config`, with time that stands still until nothing else can run. The variable
/// `JITNEY_SEED` picks one seed.
///
/// # Panics
///
/// When the test fails: with its own panic, behind a line that names the seed.
pub fn run_test<F, Fut>(config: TestConfig, test: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output: TestResult>,
{
    let semantics = match config.semantics {
        None => Semantics::Kafka,
        Some(name) => name.parse().unwrap_or_else(|error| panic!("test `{}`: {error}", config.name)),
    };
    let chosen = std::env::var(SEED_VARIABLE).ok().map(|text| {
        text.parse().unwrap_or_else(|_| panic!("{SEED_VARIABLE} is `{text}`, and must be a number"))
    });
    let faults = config.seeds > 1 || config.seed.is_some();
    let seeds = match chosen.or(config.seed) {
        Some(seed) => seed..seed.saturating_add(1),
        None => 0..config.seeds.max(1),
    };
    for seed in seeds {
        CONDITIONS.set(Conditions { seed, semantics, faults });
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run_once(&test))) {
            eprintln!(
                "test `{}` failed with seed {seed}; run it alone with {SEED_VARIABLE}={seed}",
                config.name
            );
            resume_unwind(panic);
        }
    }
}

fn run_once<F, Fut>(test: &F)
where
    F: Fn() -> Fut,
    Fut: Future<Output: TestResult>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing of the system");
    runtime.block_on(test()).unwrap_result();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(seeds: u64) -> TestConfig {
        TestConfig { name: "inner", semantics: None, seeds, seed: None }
    }

    #[test]
    fn every_seed_is_tried_once() {
        let seen = std::cell::RefCell::new(Vec::new());
        run_test(config(5), || async { seen.borrow_mut().push(conditions().seed) });
        assert_eq!(*seen.borrow(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_failing_seed_fails_the_test_with_its_own_panic() {
        let failing = || run_test(config(5), || async { assert_ne!(conditions().seed, 3, "the third seed") });
        let panic = catch_unwind(failing).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("the third seed"));
    }

    #[test]
    fn an_error_fails_the_test() {
        let failing = || run_test(config(1), || async { Err::<(), _>("no luck") });
        assert!(catch_unwind(failing).is_err());
    }
}
