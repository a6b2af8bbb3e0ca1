//! What is wrong with an event, and what to do about it.

use std::fmt;

use jitney_core::event::Version;

use crate::Rule;

/// One thing that is wrong with an event type, a version of it, or its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    kind: ProblemKind,
    event: String,
    version: Option<Version>,
    path: Option<String>,
    rule: Option<Rule>,
    what: String,
    fix: String,
}

/// The kinds of [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The event type or version is new: it is in the code, and not in the lock folder.
    New,
    /// The schema of a locked version is another one, which other versions understand.
    Changed,
    /// A field breaks the rule.
    Incompatible,
    /// The event type or version is in the lock folder, and no longer in the code.
    Gone,
    /// The event has no schema.
    NoSchema,
    /// No example of the payload could be made that the code reads.
    NoExample,
    /// The locked example of a version is no longer read.
    Unreadable,
    /// A file of the lock folder is damaged, edited by hand, or in another's place.
    File,
    /// Two Rust types claim one version of an event type, with different schemas.
    Twice,
    /// Two schemas cannot be compared.
    Undecided,
}

impl Problem {
    pub(crate) fn new(
        kind: ProblemKind,
        event: &str,
        version: Option<Version>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let (what, fix) = (what.into(), fix.into());
        Problem { kind, event: event.to_owned(), version, path: None, rule: None, what, fix }
    }

    pub(crate) fn at(self, path: &str, rule: Rule) -> Self {
        Problem { path: Some(path.to_owned()), rule: Some(rule), ..self }
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The event type, or the path of a file that could not be read.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// The version, where it is about one.
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// The place in the payload: `$.items[*].price`.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The rule that is broken.
    pub fn rule(&self) -> Option<Rule> {
        self.rule
    }

    /// What is wrong.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do.
    pub fn fix(&self) -> &str {
        &self.fix
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.event)?;
        if let Some(version) = self.version {
            write!(f, " {version}")?;
        }
        if let Some(path) = &self.path {
            write!(f, ", `{path}`")?;
        }
        if let Some(rule) = self.rule {
            write!(f, ", rule {rule}")?;
        }
        write!(f, ": {}\n  fix: {}", self.what, self.fix)
    }
}
