//! Objects: which properties there are, which have to be, and what is in each.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::branches::{Atom, Branch, Types};
use super::text::{largest, smallest};
use super::{All, Comparison, Found, IncompatibilityKind, incompatible};
use crate::Error;

type Schemas<'s> = [&'s Map<String, Value>];

impl<'s> Comparison<'s> {
    pub(super) fn objects(
        &mut self,
        atom: &Atom<'s>,
        branch: &Branch<'s>,
        path: &str,
        found: &mut Found,
    ) -> Result<(), Error> {
        if atom.types != Types::OBJECT {
            return Ok(());
        }
        let (writer, reader) = (atom.schemas.as_slice(), branch.schemas.as_slice());
        let (written, read) = (names(writer), names(reader));
        let always = required(writer);
        for name in required(reader) {
            if !always.contains(name) {
                let says = if written.contains(name) {
                    "is required by {reader}, and may be missing in what {writer} writes"
                } else {
                    "is required by {reader}, and {writer} does not write it"
                };
                found.push(incompatible(&at(path, name), IncompatibilityKind::Required, says));
            }
        }
        for name in &written {
            let path = at(path, name);
            let (takes, gives) = (property(reader, name), property(writer, name));
            if takes.iter().any(|schema| **schema == Value::Bool(false)) {
                let says = "is written by {writer}, and {reader} refuses fields that it does not know";
                found.push(incompatible(&path, IncompatibilityKind::Refused, says));
            } else if self.keep && takes.is_empty() && names_fields(reader) {
                let says = "is written by {writer}, and {reader} does not know it";
                found.push(incompatible(&path, IncompatibilityKind::Removed, says));
            } else {
                found.extend(self.schemas(&gives, &takes, &path)?);
            }
        }
        let undeclared = read.difference(&written).map(|name| (at(path, name), property(reader, name)));
        let undeclared: Vec<_> = undeclared.collect();
        if let Some(others) = others(writer) {
            for (path, takes) in &undeclared {
                found.extend(self.schemas(&others, takes, path)?);
            }
        }
        if let Some(others) =
            if same_patterns(writer, reader) { named_by_none(writer) } else { others(writer) }
        {
            found.extend(self.schemas(&others, &beyond(reader), &format!("{path}.*"))?);
        }
        found.extend(
            sizes(writer, reader, always.len(), written.len())
                .map(|says| incompatible(path, IncompatibilityKind::Narrowed, says)),
        );
        Ok(())
    }
}

fn at(path: &str, name: &str) -> String {
    let plain = !name.is_empty()
        && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '-');
    if plain { format!("{path}.{name}") } else { format!("{path}[{name:?}]") }
}

fn properties(schema: &Map<String, Value>) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// The names of all properties that are declared, but those that can never be there.
fn names<'s>(schemas: &Schemas<'s>) -> BTreeSet<&'s str> {
    let declared = schemas.iter().filter_map(|schema| properties(schema)).flatten();
    declared.filter(|(_, schema)| **schema != Value::Bool(false)).map(|(name, _)| name.as_str()).collect()
}

fn required<'s>(schemas: &Schemas<'s>) -> BTreeSet<&'s str> {
    let required = schemas.iter().filter_map(|schema| schema.get("required")?.as_array()).flatten();
    required.filter_map(Value::as_str).collect()
}

/// What holds for the property `name`.
fn property<'s>(schemas: &Schemas<'s>, name: &str) -> All<'s> {
    let declared =
        |schema: &&'s Map<String, Value>| properties(schema).and_then(|properties| properties.get(name));
    let mut all: All<'s> = schemas
        .iter()
        .filter_map(|schema| declared(schema).or_else(|| schema.get("additionalProperties")))
        .collect();
    if !schemas.iter().any(|schema| declared(schema).is_some()) {
        all.extend(schemas.iter().filter_map(|schema| schema.get("unevaluatedProperties")));
    }
    all
}

/// What holds for properties that nobody declares.
fn beyond<'s>(schemas: &Schemas<'s>) -> All<'s> {
    let keywords = ["additionalProperties", "unevaluatedProperties"];
    schemas.iter().flat_map(|schema| keywords.iter().filter_map(|keyword| schema.get(*keyword))).collect()
}

/// Whether the fields of these objects are those that they name.
fn names_fields(schemas: &Schemas<'_>) -> bool {
    schemas.iter().any(|schema| {
        schema.contains_key("properties") || schema.get("type").is_some_and(|name| *name == "object")
    })
}

/// What a writer writes in properties that it does not declare; none where it writes no others.
fn others<'s>(schemas: &Schemas<'s>) -> Option<All<'s>> {
    // Names that match a pattern get by the rest; what is in them is left open.
    if schemas.iter().any(|schema| schema.contains_key("patternProperties")) {
        return Some(Vec::new());
    }
    named_by_none(schemas)
}

/// The same, for names that match no pattern.
fn named_by_none<'s>(schemas: &Schemas<'s>) -> Option<All<'s>> {
    let beyond = beyond(schemas);
    (!beyond.is_empty() && beyond.iter().all(|schema| **schema != Value::Bool(false))).then_some(beyond)
}

/// Whether both sides have the same patterns of names, in one place.
fn same_patterns(writer: &Schemas<'_>, reader: &Schemas<'_>) -> bool {
    let patterns = |schemas: &Schemas<'_>| {
        let mut all = schemas.iter().filter_map(|schema| schema.get("patternProperties").cloned());
        (all.next(), all.next())
    };
    let (writer, reader) = (patterns(writer), patterns(reader));
    writer == reader && writer.1.is_none()
}

fn sizes(writer: &Schemas<'_>, reader: &Schemas<'_>, always: usize, at_most: usize) -> Option<String> {
    let fewest = largest(reader, "minProperties").unwrap_or(0);
    if largest(writer, "minProperties").unwrap_or(0).max(always as u64) < fewest {
        return Some(format!(
            "may have fewer fields in what {{writer}} writes than the {fewest} that {{reader}} needs"
        ));
    }
    let most = smallest(reader, "maxProperties")?;
    let closed = others(writer).is_none().then_some(at_most as u64);
    let written = smallest(writer, "maxProperties").into_iter().chain(closed).min();
    written.is_none_or(|written| written > most).then(|| {
        format!("may have more fields in what {{writer}} writes than the {most} that {{reader}} takes")
    })
}
