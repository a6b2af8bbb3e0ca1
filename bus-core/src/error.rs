//! The one error type of this crate.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

/// What was being done when it failed, with what, and why.
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
    /// The set-up is wrong: a URL, a handler, a combination that cannot work. Found at start-up.
    Config,
    /// The transport cannot do what was asked for.
    Unsupported,
    /// An event could not be turned into bytes; nothing was published.
    Encode,
    /// Bytes could not be turned into an event.
    Decode,
    /// A publish layer refused the event; nothing was published.
    Layer,
    /// The event has personal data of somebody who was forgotten; nothing was published. Whoever has it from an event that was read
    /// before reads that again, and finds it erased.
    Forgotten,
    /// The broker refused the event: it does not have it.
    Rejected,
    /// The broker did not answer in time: it may or may not have the event.
    Unknown,
    /// The connection or the broker failed.
    Transport,
    /// The outcome of a delivery could not be told to the broker, which will deliver it again.
    Settle,
    /// The bus or the application was closed.
    Closed,
}

impl ErrorKind {
    fn retryable_by_nature(self) -> bool {
        matches!(self, ErrorKind::Unknown | ErrorKind::Transport | ErrorKind::Settle)
    }
}

impl Error {
    /// An error of `kind`; `context` says in lower case what was being done to what, and what to do next.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            context: context.into(),
            retryable: kind.retryable_by_nature(),
            source: None,
        }))
    }

    /// A mistake in the set-up, found at start-up.
    pub fn config(context: impl Into<String>) -> Self {
        Error::new(ErrorKind::Config, context)
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

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
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

/// Writes an error and everything that caused it on one line, parted by colons.
pub fn error_chain(error: &(dyn StdError + 'static)) -> String {
    let mut chain = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        chain = format!("{chain}: {error}");
        cause = error.source();
    }
    chain
}

/// What a panic said, from what [`catch_unwind`](std::panic::catch_unwind) gives.
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("with no message")
}
