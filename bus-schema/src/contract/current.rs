//! The event types as the code has them.

use std::collections::BTreeMap;

use jitney_core::event::Version;
use serde_json::Value;

use super::versions;
use crate::events::{Declared, Events};
use crate::problem::{Problem, ProblemKind};
use crate::shape;

/// One event type at one version, as the code has it.
pub(super) struct Current {
    pub(super) declared: Declared,
    /// Its schema, with examples.
    pub(super) schema: Value,
    /// Its schema without annotations.
    pub(super) shape: Value,
    /// That of what it writes.
    pub(super) written: Value,
}

/// Aggregate, name and version.
pub(super) type Key = (String, String, Version);

/// The event types of `events`, and what is wrong with some of them.
pub(super) fn of(events: &Events) -> (BTreeMap<Key, Current>, Vec<Problem>) {
    let all = events.clone().into_sorted();
    let mut currents: BTreeMap<Key, Current> = BTreeMap::new();
    let mut problems = Vec::new();
    for declared in &all {
        let (aggregate, name, version) = declared.key();
        let Some(schema) = declared.schema() else {
            let problem = no_schema(declared);
            let is_known = |other: &Declared| other.key() == declared.key() && other.schema().is_some();
            if !is_past(declared, &all) && !all.iter().any(is_known) && !problems.contains(&problem) {
                problems.push(problem);
            }
            continue;
        };
        let shape = shape::of(&schema);
        let key = (aggregate.to_owned(), name.to_owned(), version);
        match currents.get(&key) {
            Some(other) if !versions::same(&other.shape, &shape) => {
                problems.push(twice(declared, &other.declared))
            }
            Some(_) => {}
            None => {
                let written = declared.written_schema().as_ref().map_or_else(|| shape.clone(), shape::of);
                currents.insert(key, Current { declared: declared.clone(), schema, shape, written });
            }
        }
    }
    (currents, problems)
}

/// Whether it is an old version that only functions on JSON read: the lock folder alone knows its schema.
fn is_past(declared: &Declared, all: &[Declared]) -> bool {
    let (aggregate, name, version) = declared.key();
    !declared.is_readable()
        && all.iter().any(|other| {
            let (of, called, at) = other.key();
            (of, called) == (aggregate, name) && at.major > version.major
        })
}

fn no_schema(declared: &Declared) -> Problem {
    let (_, name, version) = declared.key();
    let (what, fix) = if declared.rust_type.is_empty() {
        let fix = "list the type in `events![…]`, and derive `schemars::JsonSchema` for it";
        ("it has type parameters or is written by hand, and the application alone does not know its schema".to_owned(), fix.to_owned())
    } else {
        let fix = format!(
            "derive it, `#[derive(Serialize, Deserialize, DomainEvent, schemars::JsonSchema)]`, for `{}` and the types inside of it",
            declared.rust_type
        );
        (format!("`{}` has no schema: it has not derived `JsonSchema`", declared.rust_type), fix)
    };
    Problem::new(ProblemKind::NoSchema, name, Some(version), what, fix)
}

fn twice(one: &Declared, other: &Declared) -> Problem {
    let (_, name, version) = one.key();
    let what = format!(
        "`{}` and `{}` both are this version, with different schemas",
        one.rust_type, other.rust_type
    );
    let fix = "give one of them another `version`, or another `type`";
    Problem::new(ProblemKind::Twice, name, Some(version), what, fix)
}
