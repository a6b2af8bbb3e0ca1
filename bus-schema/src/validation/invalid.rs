//! What is wrong with a payload.

use std::fmt;

use jitney_core::event::Version;

/// So many faults are told.
pub(super) const MOST: usize = 5;

/// A payload that is not what its schema says. The words name places and what was expected there, never values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    pub(super) event: String,
    pub(super) version: Version,
    pub(super) schema: Option<Version>,
    pub(super) faults: Vec<Fault>,
    pub(super) more: bool,
}

/// One place in a payload that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The place: `$.lines[0].quantity`.
    pub path: String,
    /// What was expected there.
    pub expected: String,
}

impl Invalid {
    /// The version of the schema that it was held against; none where none is known.
    pub fn schema_version(&self) -> Option<Version> {
        self.schema
    }

    /// What is wrong, at most five of it. Empty where no schema is known.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Whether no schema of the event's type and major version is known.
    pub fn is_unknown(&self) -> bool {
        self.schema.is_none()
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Invalid { event, version, schema, faults, more } = self;
        let Some(schema) = schema else {
            return write!(
                f,
                "no schema of `{event}` {version} is known: list its type, or let it pass with `pass_unknown`"
            );
        };
        write!(f, "`{event}` {version} is not what version {schema} of its schema says: ")?;
        for (index, fault) in faults.iter().enumerate() {
            let before = if index == 0 { "" } else { "; " };
            write!(f, "{before}`{}`: {}", fault.path, fault.expected)?;
        }
        if *more { f.write_str("; and more") } else { Ok(()) }
    }
}

impl std::error::Error for Invalid {}
