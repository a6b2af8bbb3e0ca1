//! Errors of handlers: whatever type they are, and whether another attempt can help.

use std::error::Error as StdError;
use std::fmt;

use crate::{Error, ErrorKind};

/// An error that a handler returned, of any type; retryable unless said otherwise.
///
/// `?` turns any error into one:
///
/// ```
/// use jitney_core::handler::HandlerError;
///
/// fn parse(text: &str) -> Result<u32, HandlerError> {
///     text.trim().parse().map_err(HandlerError::permanent) // no retry will make a number of it
/// }
/// assert!(!parse("many").unwrap_err().is_retryable());
/// ```
pub struct HandlerError {
    source: Box<dyn StdError + Send + Sync>,
    retryable: bool,
}

impl HandlerError {
    /// An error that another attempt may not meet.
    pub fn retryable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        HandlerError { source: source.into(), retryable: true }
    }

    /// An error that every attempt would meet: the event is dead-lettered at once.
    pub fn permanent(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        HandlerError { source: source.into(), retryable: false }
    }

    /// Whether another attempt may succeed.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// The error that the handler returned.
    pub fn source_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.source
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError")
            .field("source", &self.source)
            .field("retryable", &self.retryable)
            .finish()
    }
}

impl<E> From<E> for HandlerError
where
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    fn from(error: E) -> Self {
        let source = error.into();
        // Another attempt is given the event as it is by then: without whoever was forgotten meanwhile.
        let may_pass = |error: &Error| error.is_retryable() || error.kind() == ErrorKind::Forgotten;
        let retryable = source.downcast_ref::<Error>().is_none_or(may_pass);
        HandlerError { source, retryable }
    }
}

/// What may stand in the error place of a handler's `Result`: any error, text, or a [`HandlerError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no error that a handler can return",
    label = "not an error",
    note = "implement `std::error::Error` for it, or return `HandlerError`"
)]
pub trait IntoHandlerError {
    /// This error, with its word on whether a retry can help.
    fn into_handler_error(self) -> HandlerError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<HandlerError>> IntoHandlerError for E {
    fn into_handler_error(self) -> HandlerError {
        self.into()
    }
}

/// Marks the errors of `result` that `is_permanent` recognises: `retry(permanent = …)` of `#[handler]`.
///
/// # Errors
///
/// Those of `result`.
pub fn permanent_if<R, E: IntoHandlerError>(
    result: Result<R, E>,
    is_permanent: impl FnOnce(&E) -> bool,
) -> Result<R, HandlerError> {
    result.map_err(|error| {
        let permanent = is_permanent(&error);
        let error = error.into_handler_error();
        HandlerError { retryable: error.retryable && !permanent, ..error }
    })
}
