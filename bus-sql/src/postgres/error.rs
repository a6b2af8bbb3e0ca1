//! What a failure of the database means to a caller.

use jitney_sourcing::{Error, ErrorKind};
use sqlx::error::DatabaseError;

/// Whether what was sent may have taken effect when the connection broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It changes nothing, or nothing before a commit that was not sent.
    None,
    /// It may have been committed.
    Possible,
}

/// The error of `doing`, which failed with `error`.
pub(super) fn failed(doing: &str, error: sqlx::Error, effect: Effect) -> Error {
    use sqlx::Error as Sql;
    let (kind, retryable, advice) = match &error {
        Sql::Database(database) => of_database(&**database, effect),
        Sql::Io(_) | Sql::Protocol(_) | Sql::WorkerCrashed => lost(effect),
        Sql::PoolTimedOut => {
            (ErrorKind::Store, true, "no connection became free in time; allow more, or try again")
        }
        Sql::PoolClosed => (ErrorKind::Closed, false, "the store was closed"),
        Sql::Configuration(_) => (ErrorKind::Config, false, "correct the URL"),
        Sql::Tls(_) => (ErrorKind::Config, false, "correct the settings of TLS, here or in the server"),
        Sql::ColumnDecode { .. } | Sql::Decode(_) | Sql::ColumnIndexOutOfBounds { .. } => {
            (ErrorKind::Decode, false, "a column is not as this library writes it; look at the row")
        }
        _ => (ErrorKind::Store, false, "the database library refused"),
    };
    Error::new(kind, format!("{doing}: {advice}")).with_source(error).retryable(retryable)
}

type Meaning = (ErrorKind, bool, &'static str);

fn lost(effect: Effect) -> Meaning {
    match effect {
        Effect::None => (ErrorKind::Store, true, "the connection was lost; try again"),
        Effect::Possible => {
            let advice = "the connection was lost before the answer; try again under the same event ids";
            (ErrorKind::Unknown, true, advice)
        }
    }
}

/// The meanings of <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_database(error: &dyn DatabaseError, effect: Effect) -> Meaning {
    let code = error.code().unwrap_or_default();
    match (&*code, code.get(..2).unwrap_or_default()) {
        // A server that goes down says so at any moment, also behind a commit.
        ("57P01" | "57P02" | "57P03", _) | (_, "08") => lost(effect),
        // It ends sessions that were idle, or in a transaction, for too long: 25P03, 25P04, 57P05.
        ("25P03" | "25P04" | "57P05", _) => lost(effect),
        ("40001" | "40P01", _) => (
            ErrorKind::Store,
            true,
            "it met another transaction; try again, from the beginning of the transaction",
        ),
        ("55P03" | "57014", _) => (ErrorKind::Store, true, "it was given up; try again"),
        ("25006", _) => (ErrorKind::Store, true, "the server takes no writes; connect to the primary"),
        (_, "53") => (ErrorKind::Store, true, "the server is short of something; try again later"),
        (_, "22" | "54") => (ErrorKind::Invalid, false, "the database cannot keep such a value"),
        ("42501" | "28000" | "28P01", _) => (ErrorKind::Config, false, "grant the role what it needs"),
        ("JI001", _) => (
            ErrorKind::Config,
            false,
            "a projection is inline in this database that this store does not keep up, so nothing is stored; open the store with it, by \
             `inline`",
        ),
        ("3D000", _) => (ErrorKind::Config, false, "create the database first"),
        _ => (ErrorKind::Store, false, "the database refused"),
    }
}

/// Whether the server refuses a statement because one before it in the transaction has failed: it answers a commit by a
/// rollback then, and says nothing of it.
pub(super) fn is_behind_a_failure(error: &sqlx::Error) -> bool {
    const IN_FAILED_TRANSACTION: &str = "25P02";
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == IN_FAILED_TRANSACTION)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn kind(error: sqlx::Error, effect: Effect) -> (ErrorKind, bool) {
        let error = failed("appending", error, effect);
        (error.kind(), error.is_retryable())
    }

    #[test]
    fn a_lost_connection_leaves_an_append_open_and_a_read_undone() {
        let lost = || sqlx::Error::Io(io::ErrorKind::UnexpectedEof.into());
        assert_eq!(kind(lost(), Effect::Possible), (ErrorKind::Unknown, true));
        assert_eq!(kind(lost(), Effect::None), (ErrorKind::Store, true));
    }

    /// The server's answer, by its code.
    #[derive(Debug)]
    struct Coded(&'static str);

    impl std::fmt::Display for Coded {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Coded {}

    impl DatabaseError for Coded {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[test]
    fn a_session_that_the_server_has_ended_is_a_lost_connection() {
        for code in ["57P01", "25P03", "25P04", "57P05"] {
            let ended = || sqlx::Error::Database(Box::new(Coded(code)));
            assert_eq!(kind(ended(), Effect::None), (ErrorKind::Store, true), "{code}");
            assert_eq!(kind(ended(), Effect::Possible), (ErrorKind::Unknown, true), "{code}");
        }
    }

    #[test]
    fn a_pool_that_is_busy_is_worth_another_try_and_a_closed_one_is_not() {
        assert_eq!(kind(sqlx::Error::PoolTimedOut, Effect::Possible), (ErrorKind::Store, true));
        assert_eq!(kind(sqlx::Error::PoolClosed, Effect::Possible), (ErrorKind::Closed, false));
    }
}
