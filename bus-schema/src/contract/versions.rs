//! Rules between versions of one event type.

use jitney_core::event::Version;
use serde_json::Value;

use super::accept::ACCEPT_VARIABLE;
use crate::compatibility::{Incompatibility, IncompatibilityKind, compare, compare_and_keep};
use crate::problem::{Problem, ProblemKind};
use crate::{Error, Rule};

/// An event type in the code, for messages.
pub(super) struct Named<'a> {
    pub(super) event: &'a str,
    pub(super) version: Version,
    pub(super) rust_type: &'a str,
}

/// Whether both schemas say the same, in whatever words: names of Rust types inside of an event are no part of it.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    let covers = |writer, reader| compare_and_keep(writer, reader).is_ok_and(|found| found.is_empty());
    one == other || covers(one, other) && covers(other, one)
}

/// What of `new` breaks `rule` beside the older `old`; both are schemas, `before` is the version of the older one.
pub(super) fn broken(
    named: &Named<'_>,
    new: &Value,
    before: Version,
    old: &Value,
    rule: Rule,
) -> Vec<Problem> {
    match found(named, new, before, old, rule) {
        Ok(problems) => problems,
        Err(error) => {
            let fix = format!(
                "see to the schema, or take the rule `NONE` for it: `rule_for({:?}, Rule::None)`",
                named.event
            );
            vec![Problem::new(
                ProblemKind::Undecided,
                named.event,
                Some(named.version),
                error.to_string(),
                fix,
            )]
        }
    }
}

fn found(
    named: &Named<'_>,
    new: &Value,
    before: Version,
    old: &Value,
    rule: Rule,
) -> Result<Vec<Problem>, Error> {
    let mut problems = Vec::new();
    if rule == Rule::None {
        return Ok(problems);
    }
    let (then, now) = names(named.version, before);
    // A field that is gone is a problem under every rule; the rest of what old writers write is one where readers go back.
    for one in compare_and_keep(old, new)? {
        if rule.is_backward() || one.kind() == IncompatibilityKind::Removed {
            problems.push(problem(named, before, rule, &one, &one.between(&then, &now)));
        }
    }
    if rule.is_forward() {
        for one in compare(new, old)? {
            if !problems.iter().any(|problem: &Problem| problem.path() == Some(one.path())) {
                problems.push(problem(named, before, rule, &one, &one.between(&now, &then)));
            }
        }
    }
    Ok(problems)
}

/// What readers of `old` get no longer from a type that writes `written`: the fields of `old` that are not written, but for those that
/// `known` names, and, at the same version, what `old` does not take.
pub(super) fn unwritten(
    named: &Named<'_>,
    written: &Value,
    before: Version,
    old: &Value,
    known: &[String],
    rule: Rule,
) -> Vec<Problem> {
    if rule == Rule::None {
        return Vec::new();
    }
    // What cannot be compared is told where the schemas are.
    let paths = unwritten_paths(old, written).into_iter().filter(|path| !known.contains(path));
    let mut problems: Vec<_> = paths.map(|path| not_written(named, before, rule, &path)).collect();
    if named.version == before {
        // Schemas of what is written say less of values: a number as text may have a pattern where it is read, and none here.
        let differs = |one: &Incompatibility| one.kind() != IncompatibilityKind::Narrowed;
        for one in compare(written, old).unwrap_or_default().iter().filter(|one| differs(one)) {
            if !problems.iter().any(|problem: &Problem| problem.path() == Some(one.path())) {
                let what = one.between("the code", &format!("version {before}"));
                problems.push(problem(named, before, rule, one, &what));
            }
        }
    }
    problems
}

/// `problems`, and those of `others` that are at other places.
pub(super) fn told_once(mut problems: Vec<Problem>, others: Vec<Problem>) -> Vec<Problem> {
    let others: Vec<_> =
        others.into_iter().filter(|other| !problems.iter().any(|one| one.path() == other.path())).collect();
    problems.extend(others);
    problems
}

/// The fields of the schema `read` that one of a writer, `written`, does not have.
pub(super) fn unwritten_paths(read: &Value, written: &Value) -> Vec<String> {
    let found = compare_and_keep(read, written).unwrap_or_default();
    let gone = found.iter().filter(|one| one.kind() == IncompatibilityKind::Removed);
    gone.map(|one| one.path().to_owned()).collect()
}

fn not_written(named: &Named<'_>, before: Version, rule: Rule, path: &str) -> Problem {
    let what =
        format!("is read by `{}`, and no longer written: readers of {before} miss it", named.rust_type);
    let fix = format!(
        "have it written again, under the name that it is read by (`skip_serializing` and `rename(serialize = …)` change what is \
         written alone); or {}",
        next_major(named, before)
    );
    Problem::new(ProblemKind::Incompatible, named.event, Some(named.version), what, fix).at(path, rule)
}

fn names(version: Version, before: Version) -> (String, String) {
    if version == before {
        (format!("{before} as it is locked"), format!("{version} as it is now"))
    } else {
        (format!("version {before}"), format!("version {version}"))
    }
}

fn problem(named: &Named<'_>, before: Version, rule: Rule, one: &Incompatibility, what: &str) -> Problem {
    let field = one.path();
    let here = match one.kind() {
        IncompatibilityKind::Removed => format!(
            "put `{field}` back under its old name (`#[serde(rename = \"…\")]` renames it in Rust alone)"
        ),
        IncompatibilityKind::Required => format!(
            "make `{field}` optional in both directions: an `Option` with `#[serde(default)]`, or any type with a default"
        ),
        IncompatibilityKind::Refused => {
            "remove `deny_unknown_fields`, which keeps fields from being added".to_owned()
        }
        _ => format!("give `{field}` its old type back, and add a field of another name"),
    };
    let fix = format!("{here}; or {}", next_major(named, before));
    Problem::new(ProblemKind::Incompatible, named.event, Some(named.version), what, fix).at(field, rule)
}

/// How to make a new major version, and what else can be done.
fn next_major(named: &Named<'_>, before: Version) -> String {
    let Named { event, rust_type, .. } = named;
    let major = before.major.saturating_add(1);
    let old = format!("{rust_type}V{}", before.major);
    format!(
        "make it a new major version: keep the old type as `{old}` with `type = \"{event}\", version = \"{before}\"`, write \
         `version = \"{major}.0\", upcast_from = {old}` and `impl From<{old}> for {rust_type}`; or, where nothing of it is stored \
         or published yet, `{ACCEPT_VARIABLE}={event}`"
    )
}

/// What is wrong with a schema that is another one under the same version, though no rule is broken.
pub(super) fn changed(named: &Named<'_>) -> Problem {
    let Version { major, minor } = named.version;
    let next = Version::new(major, minor.saturating_add(1));
    let what = "its schema is not the one that is locked, under the same version";
    let fix = format!(
        "write `version = \"{next}\"`, and lock it with `{ACCEPT_VARIABLE}=new`; or take the change back; or, where nothing of it is \
         stored or published yet, `{ACCEPT_VARIABLE}={}`",
        named.event
    );
    Problem::new(ProblemKind::Changed, named.event, Some(named.version), what, fix)
}
