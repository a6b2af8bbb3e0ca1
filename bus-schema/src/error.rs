//! The one error type of this crate.

use std::error::Error as StdError;
use std::fmt;

use crate::problem::Problem;

/// What was being done when it failed, with what, and what to do about it.
///
/// `Debug` writes the causes too, for tests that return it.
pub struct Error {
    kind: ErrorKind,
    context: String,
    problems: Vec<Problem>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The events are not what the lock folder says, or cannot be compared with it: see [`Error::problems`].
    Contract,
    /// The lock folder cannot be read or written.
    Folder,
    /// A schema is too large or too deep to be compared.
    TooLarge,
    /// An event has no schema, or what it has is none.
    NoSchema,
    /// A schema refers to something that is not in it, or to itself and nothing else.
    Reference,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Error { kind, context: context.into(), problems: Vec::new(), source: None }
    }

    pub(crate) fn contract(context: String, problems: Vec<Problem>) -> Self {
        Error { problems, ..Error::new(ErrorKind::Contract, context) }
    }

    pub(crate) fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Error { source: Some(source.into()), ..self }
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Everything that is wrong, by event and version. Empty for kinds other than [`ErrorKind::Contract`].
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether the same call may succeed later without a change: where the lock folder could not be read or written.
    pub fn is_retryable(&self) -> bool {
        self.kind == ErrorKind::Folder
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.context)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n\n{problem}"))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&jitney_core::error_chain(self))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
