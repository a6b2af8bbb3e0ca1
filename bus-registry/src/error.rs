//! The one error type of this crate.

use std::error::Error as StdError;
use std::fmt;

use jitney_core::error_chain;

/// What was being done when it failed, with what, and why.
///
/// `Debug` writes the causes too, for programs whose `main` returns it. No message has credentials in it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    context: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The set-up is wrong: a URL, two events of one subject, an event without a schema.
    Config,
    /// The registry could not be reached, did not answer in time, or is not able to answer now; the same call may succeed later.
    Unavailable,
    /// The registry does not let this client in.
    Unauthorized,
    /// The registry does not have it.
    NotFound,
    /// The registry refuses a schema as incompatible with those before it.
    Incompatible,
    /// The registry refuses a request for another reason: a schema that is none, for example.
    Refused,
    /// The registry's answer is not one of its protocol.
    Nonsense,
    /// A schema is no schema, or of a kind that is not read here.
    InvalidSchema,
    /// A schema is larger than [`MAX_SCHEMA_BYTES`](crate::MAX_SCHEMA_BYTES).
    TooLarge,
    /// A schema is nested deeper than [`MAX_SCHEMA_DEPTH`](crate::MAX_SCHEMA_DEPTH), or a payload than
    /// [`MAX_PAYLOAD_DEPTH`](crate::MAX_PAYLOAD_DEPTH).
    TooDeep,
    /// A body does not begin with the id of a schema.
    Unframed,
    /// A payload does not have the shape that its schema says.
    Payload,
    /// The application cannot start: several schemas were refused or could not be looked up. The message lists all of them.
    Start,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, context: context.into(), source: None }))
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether it says something of a schema that was asked for, and not of whoever was to answer.
    pub(crate) fn is_about_schema(&self) -> bool {
        use ErrorKind::{InvalidSchema, NotFound, TooDeep, TooLarge};
        matches!(self.0.kind, InvalidSchema | NotFound | TooDeep | TooLarge)
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.0.kind == ErrorKind::Unavailable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.context)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&error_chain(self))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// As an error of a codec, or of the start of an application.
impl From<Error> for jitney_core::Error {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Unavailable => jitney_core::ErrorKind::Transport,
            ErrorKind::Config
            | ErrorKind::Unauthorized
            | ErrorKind::Incompatible
            | ErrorKind::Refused
            | ErrorKind::Start => jitney_core::ErrorKind::Config,
            _ => jitney_core::ErrorKind::Decode,
        };
        let (context, retryable) = (error.to_string(), error.is_retryable());
        let converted = jitney_core::Error::new(kind, context).retryable(retryable);
        match error.0.source {
            Some(source) => converted.with_source(source),
            None => converted,
        }
    }
}
