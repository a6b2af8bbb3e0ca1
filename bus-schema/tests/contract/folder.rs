//! Lock folders of the tests' own, and events as releases had them.

use std::path::{Path, PathBuf};

use jitney_schema::{Accept, Contract, Error, Events, Problem, ProblemKind};

/// An event `Paid` of the aggregate `Order` as one release has it: attributes, and what else is in it.
macro_rules! release {
    ($name:ident, [$($version:tt)*], { $($field:tt)* }) => {
        pub(crate) mod $name {
            use jitney_derive::DomainEvent;
            use schemars::JsonSchema;
            use serde::{Deserialize, Serialize};

            #[allow(dead_code)]
            #[derive(Serialize, Deserialize, DomainEvent, JsonSchema)]
            #[event(aggregate = "Order", crate = "jitney_core", $($version)*)]
            pub(crate) struct Paid { $($field)* }
        }
    };
}
pub(crate) use release;

/// A folder that no other test has, and that is not there yet.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("contracts").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    folder
}

/// The contract of `events` that accepts nothing.
pub(crate) fn contract(folder: &Path, events: Events) -> Contract {
    Contract::new(folder, events).accept(Accept::Nothing).locked(false)
}

/// A folder with `events` locked in it.
pub(crate) fn locked(name: &str, events: Events) -> PathBuf {
    let folder = fresh(name);
    contract(&folder, events).verify().unwrap();
    folder
}

/// The problems of `events` with what is locked.
pub(crate) fn problems(folder: &Path, events: Events) -> Vec<Problem> {
    of(&contract(folder, events).verify().unwrap_err())
}

pub(crate) fn of(error: &Error) -> Vec<Problem> {
    error.problems().to_vec()
}

/// Kinds and places alone.
pub(crate) fn kinds(problems: &[Problem]) -> Vec<(ProblemKind, Option<&str>)> {
    problems.iter().map(|problem| (problem.kind(), problem.path())).collect()
}
