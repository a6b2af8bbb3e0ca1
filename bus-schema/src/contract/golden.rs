//! Examples of payloads: made when a version is locked, and read on every run.

use jitney_core::event::{DecodeErrorKind, StoredPayload};
use jitney_core::{error_chain, event::Version};
use serde_json::Value;

use super::Contract;
use super::accept::ACCEPT_VARIABLE;
use super::current::Current;
use super::versions;
use crate::events::Declared;
use crate::lock::Entry;
use crate::problem::{Problem, ProblemKind};
use crate::sample;

/// The entry of `current` with an example that it reads.
pub(super) fn entry(contract: &Contract, current: &Current) -> Result<Entry, Problem> {
    let (aggregate, event, version) = current.declared.key();
    let key = (aggregate.to_owned(), event.to_owned(), version);
    let given = contract.examples.get(&key).cloned();
    let no_example = |what: String| {
        let fix = format!(
            "give one, `Contract::new(…).example(&{} {{ … }})`, or put `#[schemars(example = …)]` on the field that it is about",
            current.declared.rust_type
        );
        Problem::new(ProblemKind::NoExample, event, Some(version), what, fix)
    };
    let Some(example) = given.or_else(|| sample::of(&current.schema)) else {
        return Err(no_example("no example can be made from its schema".to_owned()));
    };
    let entry = Entry {
        aggregate: aggregate.to_owned(),
        event: event.to_owned(),
        version,
        schema: current.shape.clone(),
        example,
        unwritten: versions::unwritten_paths(&current.shape, &current.written),
        follows: None,
    };
    match read(&entry, &current.declared) {
        Ok(()) => Ok(entry),
        Err((_, why)) => Err(no_example(format!(
            "the example that was made from its schema, {}, is not read: {why}",
            entry.example
        ))),
    }
}

/// What is wrong with the example of `entry`, given the types `readers` of its name.
pub(super) fn unreadable(entry: &Entry, readers: &[&Declared]) -> Option<Problem> {
    let newer = readers.iter().filter(|reader| reader.event_type.version().major >= entry.version.major);
    newer.filter_map(|reader| read(entry, reader).err().map(|why| problem(entry, reader, why))).next()
}

fn read(entry: &Entry, reader: &Declared) -> Result<(), (DecodeErrorKind, String)> {
    let json = text(&entry.example);
    let payload =
        StoredPayload::new(&entry.event, entry.version, json.as_bytes()).of_aggregate(&entry.aggregate);
    reader.read(&payload).map_err(|error| (error.kind(), error_chain(&error)))
}

fn text(payload: &Value) -> String {
    payload.to_string()
}

fn problem(entry: &Entry, reader: &Declared, (kind, why): (DecodeErrorKind, String)) -> Problem {
    let Entry { event, version, .. } = entry;
    let rust_type = &reader.rust_type;
    let now: Version = reader.event_type.version();
    let fix = match kind {
        DecodeErrorKind::UnknownVersion => format!(
            "write the upcaster: `upcast_from = …` on `{rust_type}` with a type for version {version} and an `impl From`, or \
             `upcast_json({} = …)`; or, where nothing of that version is left, `{ACCEPT_VARIABLE}={event}@{version}`",
            version.major
        ),
        DecodeErrorKind::Upcast => {
            format!("have the upcaster to `{rust_type}` take what was written under {version}")
        }
        _ => format!(
            "have `{rust_type}` read what was written under {version}, by its field's old type and name or a default; or make it \
             version {}.0 with an upcaster",
            version.major.saturating_add(1)
        ),
    };
    let what = format!("the locked example is not read by `{rust_type}` {now}: {why}");
    Problem::new(ProblemKind::Unreadable, event, Some(*version), what, fix)
}
