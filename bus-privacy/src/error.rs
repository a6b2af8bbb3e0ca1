//! The one error type of this crate.

use std::error::Error as StdError;
use std::fmt;

use jitney_core::ErrorKind as CoreKind;

/// What was being done when it failed, with what, and what to do about it. No message has a personal value or a key in it.
///
/// `Debug` writes the causes too, for programs whose `main` returns it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    context: String,
    retryable: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The set-up is wrong: a master key that cannot be read, or none.
    Config,
    /// A text that no subject can have.
    Subject,
    /// Something was to be sealed for a subject that is forgotten: nothing was stored or published.
    Forgotten,
    /// An open or a sealed value in a payload is not as this library writes it.
    Malformed,
    /// A payload is nested too deep.
    TooDeep,
    /// A value was sealed in a way that this version does not know.
    Unsupported,
    /// A sealed value was changed, or put where it does not belong: in another field, event or stream, or under another
    /// subject.
    Tampered,
    /// A value is sealed with a key of its subject that the key store does not have.
    UnknownKey,
    /// A key was wrapped by a master key that is not among those given. Retryable: while keys are wrapped anew, some processes
    /// may not have it yet.
    UnknownMasterKey,
    /// A master key has the right name and does not open what was wrapped under it.
    WrongMasterKey,
    /// The key store does not answer, or refuses.
    Store,
    /// The key management service does not answer, or refuses.
    KeyManagement,
    /// The system gives no randomness.
    Randomness,
    /// A subject is forgotten, and not everything that was to follow is done.
    Unfinished,
}

impl ErrorKind {
    fn retryable_by_nature(self) -> bool {
        use ErrorKind::{KeyManagement, Randomness, Store, Unfinished, UnknownMasterKey};
        matches!(self, Store | KeyManagement | Randomness | Unfinished | UnknownMasterKey)
    }

    /// Whether it is about one payload, and about no other: what it was to be read from was changed, or cannot be sealed.
    fn is_of_payload(self) -> bool {
        use ErrorKind::{Forgotten, Malformed, Subject, Tampered, TooDeep};
        matches!(self, Forgotten | Malformed | Subject | Tampered | TooDeep)
    }
}

impl Error {
    /// An error of `kind`, for authors of key stores; `context` says in lower case what was being done to what, and what to
    /// do next. Retryable where the store, the key management service or the system failed.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            context: context.into(),
            retryable: kind.retryable_by_nature(),
            source: None,
        }))
    }

    /// This error, caused by `source`.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// This error, with a word on whether the same call may succeed later.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// This error, met while `doing`.
    pub(crate) fn while_doing(mut self, doing: impl fmt::Display) -> Self {
        self.0.context = format!("{doing}: {}", self.0.context);
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later without a change.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The error of this crate that `error` comes from, if any: a bus or a store wraps it in its own.
    pub fn within<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref::<Error>() {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.context)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&jitney_core::error_chain(self))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<Error> for jitney_core::Error {
    /// Of kind [`Layer`](CoreKind::Layer) where it is about the payload, or retryable, as this one is; of kind
    /// [`Config`](CoreKind::Config) where keys or the key store are not the right ones: no event is given up for that; and of kind
    /// [`Forgotten`](CoreKind::Forgotten) for a subject that is forgotten.
    fn from(error: Error) -> Self {
        let retryable = error.is_retryable();
        let kind = match error.kind() {
            ErrorKind::Forgotten => CoreKind::Forgotten,
            kind if retryable || kind.is_of_payload() => CoreKind::Layer,
            _ => CoreKind::Config,
        };
        jitney_core::Error::new(kind, "keeping personal data").with_source(error).retryable(retryable)
    }
}
