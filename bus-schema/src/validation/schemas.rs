//! The schemas that payloads are held against, by event type and version.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;

use jitney_core::event::{StoredPayload, Version, make_up_pseudonyms};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::invalid::{Fault, Invalid, MOST};
use crate::{Error, ErrorKind, bounds};

/// Compiled schemas. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Schemas(HashMap<String, Vec<Versions>>);

/// The versions of an event type.
#[derive(Debug, Clone)]
struct Versions {
    aggregate: String,
    by_version: BTreeMap<Version, Arc<Validator>>,
}

impl Schemas {
    /// Adds a schema, in place of the one that was there.
    ///
    /// # Errors
    ///
    /// When it is too large, refers to what is not in it, or is no schema.
    pub(super) fn insert(
        &mut self,
        aggregate: &str,
        event: &str,
        version: Version,
        schema: &Value,
    ) -> Result<(), Error> {
        let of = |error: Error| {
            let context = format!("reading the schema of `{event}` {version}");
            Error::new(error.kind(), context).with_source(error)
        };
        bounds::check(schema).map_err(of)?;
        let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
        let validator = options.build(schema).map_err(|error| {
            let context = format!("reading the schema of `{event}` {version}: it is no JSON Schema");
            Error::new(ErrorKind::NoSchema, context).with_source(error.to_string())
        })?;
        let types = self.0.entry(event.to_owned()).or_default();
        let index = types.iter().position(|one| one.aggregate == aggregate).unwrap_or_else(|| {
            types.push(Versions { aggregate: aggregate.to_owned(), by_version: BTreeMap::new() });
            types.len() - 1
        });
        types[index].by_version.insert(version, Arc::new(validator));
        Ok(())
    }

    /// Whether there is a schema of this very version.
    pub(super) fn has(&self, aggregate: &str, event: &str, version: Version) -> bool {
        self.of(Some(aggregate), event).is_some_and(|of| of.by_version.contains_key(&version))
    }

    pub(super) fn check(&self, payload: &StoredPayload<'_>) -> Result<(), Invalid> {
        let (event, version) = (payload.event_type(), payload.version());
        let invalid = |schema: Option<Version>, faults: Vec<Fault>, more: bool| {
            Err(Invalid { event: event.to_owned(), version, schema, faults, more })
        };
        let known = self.of(payload.aggregate(), event);
        let Some((schema, validator)) = known.and_then(|known| known.nearest(version)) else {
            return invalid(None, Vec::new(), false);
        };
        let mut value: Value = match serde_json::from_slice(payload.json()) {
            Ok(value) => value,
            Err(error) => {
                let expected =
                    format!("JSON, and it is none (line {}, column {})", error.line(), error.column());
                return invalid(Some(schema), vec![Fault { path: "$".to_owned(), expected }], false);
            }
        };
        // They are texts when they are out.
        make_up_pseudonyms(&mut value);
        let mut errors = validator.iter_errors(&value);
        let fault = |error: jsonschema::ValidationError<'_>| Fault {
            path: path(error.instance_path()),
            expected: error.masked_with("it").to_string(),
        };
        let faults: Vec<_> = errors.by_ref().take(MOST).map(fault).collect();
        if faults.is_empty() { Ok(()) } else { invalid(Some(schema), faults, errors.next().is_some()) }
    }

    /// The versions of an event type; without an aggregate, of the one that is called so.
    fn of(&self, aggregate: Option<&str>, event: &str) -> Option<&Versions> {
        let mut types = self.0.get(event)?.iter();
        types.find(|versions| aggregate.is_none_or(|aggregate| versions.aggregate == aggregate))
    }
}

impl Versions {
    /// The schema of `version`; or of the last minor version before it, which it only adds to; or of the first behind it.
    fn nearest(&self, version: Version) -> Option<(Version, &Validator)> {
        let first = Version::new(version.major, 0);
        let last = Version::new(version.major, u32::MAX);
        let before = self.by_version.range(first..=version).next_back();
        let (version, validator) = before.or_else(|| self.by_version.range(version..=last).next())?;
        Some((*version, validator))
    }
}

/// `location` as it is written elsewhere: `$.lines[0].quantity`.
fn path(location: &Location) -> String {
    let mut path = "$".to_owned();
    for segment in location {
        match segment {
            LocationSegment::Property(name) => write!(path, ".{name}"),
            LocationSegment::Index(index) => write!(path, "[{index}]"),
        }
        .expect("a String takes everything");
    }
    path
}
