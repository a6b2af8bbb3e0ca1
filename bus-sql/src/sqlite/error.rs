//! What SQLite's errors mean to a caller of the store.

use jitney_sourcing::{Error, ErrorKind, StreamId};

// Primary result codes: https://www.sqlite.org/rescode.html
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const NOTADB: i32 = 26;
/// An extended code: the transaction began by reading, and another one has written since.
const BUSY_SNAPSHOT: i32 = 517;

/// The error of `doing` something in the database that `place` describes, before a commit: nothing was stored.
pub(super) fn failed(place: &str, doing: &str, error: sqlx::Error) -> Error {
    let (kind, retryable, why) = match &error {
        sqlx::Error::PoolClosed => (ErrorKind::Closed, false, "the store was closed"),
        sqlx::Error::PoolTimedOut => (
            ErrorKind::Store,
            true,
            "no connection was free for longer than the busy time-out; try again, or keep transactions shorter",
        ),
        sqlx::Error::WorkerCrashed => (ErrorKind::Store, true, "the connection was lost; try again"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            (ErrorKind::Decode, false, "a row is not as this store writes it; look at what else writes there")
        }
        _ => match result_code(&error) {
            Some(BUSY_SNAPSHOT) => (
                ErrorKind::Store,
                true,
                "another one has written since the transaction's first read; roll it back and try again, with \
                 `BEGIN IMMEDIATE`",
            ),
            Some(code) => by_code(code & 0xff),
            None => OTHER,
        },
    };
    Error::new(kind, format!("{doing} in {place}: {why}")).retryable(retryable).with_source(error)
}

const OTHER: (ErrorKind, bool, &str) = (ErrorKind::Store, false, "SQLite refused it");

fn by_code(code: i32) -> (ErrorKind, bool, &'static str) {
    match code {
        BUSY | LOCKED => (
            ErrorKind::Store,
            true,
            "another connection has been writing for longer than the busy time-out; try again, or raise it",
        ),
        READONLY => (
            ErrorKind::Config,
            false,
            "it is read-only; let this user write the file and its folder, or choose another path",
        ),
        IOERR => (ErrorKind::Store, true, "the disk failed; look at the system's log, then try again"),
        CORRUPT => (ErrorKind::Store, false, "the file is damaged; restore it from a backup"),
        FULL => (ErrorKind::Store, true, "the disk is full; make room, then try again"),
        CANTOPEN => (
            ErrorKind::Config,
            false,
            "it cannot be opened; let this user read and write the file and its folder, or choose another path",
        ),
        NOTADB => (
            ErrorKind::Config,
            false,
            "the file is no SQLite database, or an encrypted one; choose another path",
        ),
        _ => OTHER,
    }
}

/// The error of a commit. Where SQLite does not say that it has rolled back, the events may be stored.
pub(super) fn commit_failed(place: &str, doing: &str, error: sqlx::Error) -> Error {
    match result_code(&error).map(|code| code & 0xff) {
        // A constraint that is checked at the end; the transaction is still open, and is rolled back.
        Some(BUSY | LOCKED | FULL | READONLY | CONSTRAINT) => failed(place, doing, error),
        _ => {
            let what = format!(
                "{doing} in {place}: whether the commit is on the disk is not known; append the same events again"
            );
            Error::new(ErrorKind::Unknown, what).with_source(error)
        }
    }
}

/// The error of a row that this store cannot have written.
pub(super) fn damaged(stream: &StreamId, sequence: u64, what: &str) -> Error {
    let what = format!(
        "reading event {sequence} of stream {stream}: {what}; another program has changed the database, restore the \
         row from a backup"
    );
    Error::new(ErrorKind::Decode, what)
}

/// Whether another connection holds a lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(result_code(error).map(|code| code & 0xff), Some(BUSY | LOCKED))
}

/// Whether a row with the same key is there.
pub(super) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// SQLite's extended result code.
fn result_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}
