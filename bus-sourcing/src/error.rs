//! The one error type of event stores and repositories.

use std::error::Error as StdError;
use std::fmt;

use jitney_core::handler::HandlerError;
use jitney_core::{Id, error_chain};

use crate::{Expected, StreamId};

/// What a store or a repository answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was being done when it failed, with what, and why.
///
/// `Debug` writes the causes too, for programs whose `main` returns it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    context: String,
    retryable: bool,
    conflict: Option<Conflict>,
    duplicate: Option<Duplicate>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The set-up is wrong: a URL, a name, a topic with the wrong settings.
    Config,
    /// What was asked for makes no sense: an append without events, an id that no store can keep. Nothing was stored.
    Invalid,
    /// The store cannot do what was asked for. Nothing was stored.
    Unsupported,
    /// The stream is not where the writer thought it was. Nothing was stored; see [`Error::conflict`].
    Conflict,
    /// An event with this id is in the stream already. Nothing was stored; see [`Error::duplicate`].
    Duplicate,
    /// The stream was ended, and takes no more events. Nothing was stored.
    Ended,
    /// The stream is archived, and takes no events until it is restored. Nothing was stored.
    Archived,
    /// An event could not be turned into bytes. Nothing was stored.
    Encode,
    /// What was to be stored has personal data of somebody who was forgotten. Nothing was stored; whoever has it from what was read
    /// before reads that again, and finds it erased.
    Forgotten,
    /// A stored event could not be read as what it should be. It is in the store, untouched.
    Decode,
    /// A projection refused an event, has stopped at one, or has not come as far as was waited for.
    Projection,
    /// A process manager could not handle an input or a deadline. Its process is as it was.
    Process,
    /// Another process writes to this part of the store; try again, there or here. Nothing was stored.
    NotOwner,
    /// The store did not say whether it has the events: it has all of them or none. Append them again under the same
    /// ids: a store that has them answers [`Duplicate`](ErrorKind::Duplicate).
    Unknown,
    /// The store's schema is of a later version of this library.
    NewerSchema,
    /// The store failed, or could not be reached; the same call may succeed later, unless the error says otherwise. Nothing
    /// was stored.
    Store,
    /// The store was closed.
    Closed,
}

/// The stream was not where the writer thought it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The stream.
    pub stream: StreamId,
    /// What the writer expected.
    pub expected: Expected,
    /// The sequence of the stream's last event; 0 where it has none.
    pub actual: u64,
}

/// An event with the same id is in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The stream.
    pub stream: StreamId,
    /// The id.
    pub event_id: Id,
    /// The sequence of the event that has it.
    pub sequence: u64,
}

impl Error {
    /// An error of `kind`; `context` says in lower case what was being done to what, and what to do next.
    pub fn new(kind: ErrorKind, context: impl Into<String>) -> Self {
        use ErrorKind::{Conflict, NotOwner, Store, Unknown};
        let retryable = matches!(kind, Conflict | NotOwner | Store | Unknown);
        Error(Box::new(Inner {
            kind,
            context: context.into(),
            retryable,
            conflict: None,
            duplicate: None,
            source: None,
        }))
    }

    /// The error of an append that found the stream elsewhere.
    pub fn conflicting(conflict: Conflict) -> Self {
        let Conflict { stream, expected, actual } = &conflict;
        let found = match actual {
            0 => "it has no events".to_owned(),
            last => format!("its last event is {last}"),
        };
        let what = format!(
            "appending to stream {stream}: expected {expected}, but {found}; load it again and decide anew"
        );
        let mut error = Error::new(ErrorKind::Conflict, what);
        error.0.conflict = Some(conflict);
        error
    }

    /// The error of an append whose event the stream has already.
    pub fn duplicating(duplicate: Duplicate) -> Self {
        let Duplicate { stream, event_id, sequence } = &duplicate;
        let what = format!("appending event {event_id} to stream {stream}: it is there as event {sequence}");
        let mut error = Error::new(ErrorKind::Duplicate, what);
        error.0.duplicate = Some(duplicate);
        error
    }

    /// The error of an append to a stream that was ended.
    pub fn ended(stream: &StreamId) -> Self {
        let what = format!("appending to stream {stream}: it was ended, and takes no more events");
        Error::new(ErrorKind::Ended, what)
    }

    /// The error of an append to a stream that is archived.
    pub fn archived(stream: &StreamId) -> Self {
        let what = format!("appending to stream {stream}: it is archived; restore it first");
        Error::new(ErrorKind::Archived, what)
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

    /// Whether the same call may succeed later. A conflict may, once the stream was loaded again.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// This error for a handler that returns [`HandlerError`]: permanent where the same call cannot succeed later. The
    /// question mark alone would have everything tried again. A handler that returns `jitney::Result` needs only that.
    pub fn for_handler(self) -> HandlerError {
        match self.is_retryable() {
            true => HandlerError::retryable(self),
            false => HandlerError::permanent(self),
        }
    }

    /// Where the stream was, for an error of kind [`Conflict`](ErrorKind::Conflict).
    pub fn conflict(&self) -> Option<&Conflict> {
        self.0.conflict.as_ref()
    }

    /// Where the event is, for an error of kind [`Duplicate`](ErrorKind::Duplicate).
    pub fn duplicate(&self) -> Option<&Duplicate> {
        self.0.duplicate.as_ref()
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

impl From<Error> for jitney_core::Error {
    /// For handlers and programs that return the core's error.
    fn from(error: Error) -> Self {
        use jitney_core::ErrorKind as Core;
        let kind = match error.kind() {
            ErrorKind::Config | ErrorKind::NewerSchema | ErrorKind::Invalid => Core::Config,
            ErrorKind::Unsupported => Core::Unsupported,
            ErrorKind::Encode => Core::Encode,
            ErrorKind::Forgotten => Core::Forgotten,
            ErrorKind::Decode => Core::Decode,
            ErrorKind::Conflict
            | ErrorKind::Duplicate
            | ErrorKind::Ended
            | ErrorKind::Archived
            | ErrorKind::Process => Core::Rejected,
            ErrorKind::Unknown => Core::Unknown,
            ErrorKind::Closed => Core::Closed,
            ErrorKind::NotOwner | ErrorKind::Store | ErrorKind::Projection => Core::Transport,
        };
        let retryable = error.is_retryable();
        jitney_core::Error::new(kind, "working with the event store").with_source(error).retryable(retryable)
    }
}
