//! What is locked and no longer in the code.

use std::collections::BTreeMap;
use std::path::Path;

use super::accept::ACCEPT_VARIABLE;
use super::current::{Current, Key};
use crate::lock::Entry;
use crate::problem::{Problem, ProblemKind};

/// The problem of `entry`, of whose event type the code has no version; `unlocked` are the types that are new.
pub(super) fn event(entry: &Entry, unlocked: &BTreeMap<&Key, &Current>) -> Problem {
    let Entry { event, aggregate, .. } = entry;
    let same = unlocked.iter().find(|((of, _, _), current)| of == aggregate && current.shape == entry.schema);
    let (what, fix) = match same {
        Some(((_, name, _), current)) => (
            format!(
                "it is locked, and the code has no such event of `{aggregate}`; `{name}` has the same schema: it was renamed"
            ),
            format!(
                "keep the name under which it is stored and published: `#[event(type = {event:?})]` on `{}`; or, where nothing of \
                 `{event}` is left, `{ACCEPT_VARIABLE}={event},{name}`",
                current.declared.rust_type
            ),
        ),
        None => (
            format!("it is locked, and the code has no such event of `{aggregate}`"),
            format!(
                "list it again: what is stored of it can no longer be read; if it was renamed, keep its name by \
                 `#[event(type = {event:?})]`; where nothing of it is left, `{ACCEPT_VARIABLE}={event}`"
            ),
        ),
    };
    Problem::new(ProblemKind::Gone, event, Some(entry.version), what, fix)
}

/// The problem of the version `before`, whose file is not there, and which `entry` follows.
pub(super) fn file(before: &Key, entry: &Entry, file: &Path) -> Problem {
    let (_, event, version) = before;
    let what = format!("it was locked before {}, and its file is gone: `{}`", entry.version, file.display());
    let fix = format!(
        "restore the file from version control; or, where nothing of that version is stored or published, \
         `{ACCEPT_VARIABLE}={event}@{version}`"
    );
    Problem::new(ProblemKind::Gone, event, Some(*version), what, fix)
}

/// The problem of `entry`, where the code only has older versions of its event type, the newest of them `current`.
pub(super) fn version(entry: &Entry, current: &Current) -> Problem {
    let Entry { event, version, .. } = entry;
    let (_, _, now) = current.declared.key();
    let what = format!("it is locked, and the code has {now}: the version went back");
    let fix = format!(
        "write `version = \"{version}\"` on `{}` again; or, where nothing of it is stored or published yet, `{ACCEPT_VARIABLE}={event}`",
        current.declared.rust_type
    );
    Problem::new(ProblemKind::Gone, event, Some(*version), what, fix)
}
