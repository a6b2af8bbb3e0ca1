//! What can go wrong with a server, each with the way out.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::server::Server;

/// Why a server could not be started, found, reached or controlled.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file or a folder could not be used.
    File {
        /// What was being done, as in `write`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program could not be started, or failed.
    Program {
        /// The command line.
        command: String,
        /// How it ended, with the last lines that it printed.
        how: String,
    },
    /// Something that the servers need is not installed, and could not be installed from here.
    Missing {
        /// What is missing.
        what: &'static str,
        /// The command that installs it.
        install: String,
    },
    /// Another program listens where a server has to.
    PortTaken {
        /// The port on 127.0.0.1.
        port: u16,
    },
    /// A server did not serve within the time that it was given.
    NotReady {
        /// The server, or the node of it.
        what: String,
        /// How long was waited.
        limit: Duration,
        /// What the last attempt said.
        why: String,
        /// Where its output is.
        log: String,
    },
    /// The process of a server does not run.
    NotRunning {
        /// The server, or the node of it.
        what: String,
        /// Where its output is.
        log: String,
    },
    /// A process would not take a signal, or not go away.
    Signal {
        /// The server, or the node of it.
        what: String,
        /// What was tried.
        how: String,
    },
    /// No server of this name runs, and no address was given.
    NoServer {
        /// The server.
        server: Server,
    },
    /// The server's address was given from outside, so that its processes are not ours to control.
    Given {
        /// The server.
        server: Server,
    },
    /// No server is called so.
    UnknownServer {
        /// The name that was given.
        name: String,
    },
    /// A setting has no usable value.
    Setting {
        /// The environment variable, the file or the argument.
        name: String,
        /// What is wrong with it, and what to write instead.
        why: String,
    },
}

impl Error {
    /// Whether the server belongs to somebody else, so that a test which kills or freezes it has to be skipped.
    #[must_use]
    pub fn is_given(&self) -> bool {
        matches!(self, Self::Given { .. })
    }

    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}

impl Display for Error {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { doing, path, source } => {
                write!(
                    out,
                    "could not {doing} `{}`: {source}; check its owner and the space on the disk",
                    path.display()
                )
            }
            Self::Program { command, how } => write!(out, "`{command}` failed: {how}"),
            Self::Missing { what, install } => {
                write!(out, "{what} is not installed; install it with `{install}`")
            }
            Self::PortTaken { port } => write!(
                out,
                "another program listens on 127.0.0.1:{port}; stop it, or set `{}` to the first of {} other ports",
                crate::ports::BASE_VARIABLE,
                crate::ports::ROOM
            ),
            Self::NotReady { what, limit, why, log } => {
                let seconds = limit.as_secs();
                write!(out, "{what} did not serve within {seconds} s: {why}; its output is in `{log}`")
            }
            Self::NotRunning { what, log } => {
                write!(out, "{what} does not run; its output is in `{log}`, `cargo xtask up` starts it again")
            }
            Self::Signal { what, how } => write!(out, "could not signal {what}: {how}"),
            Self::NoServer { server } => write!(
                out,
                "no {server} server was found; start one with `cargo xtask up {server}`, or set `{}` to its URL",
                server.variable()
            ),
            Self::Given { server } => write!(
                out,
                "the address of {server} was given by `{}`, so its processes cannot be controlled",
                server.variable()
            ),
            Self::UnknownServer { name } => {
                let known: Vec<_> = Server::ALL.iter().map(|server| server.name()).collect();
                write!(out, "no server is named `{name}`; choose from: {}", known.join(", "))
            }
            Self::Setting { name, why } => write!(out, "`{name}` cannot be used: {why}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_was_not_found_names_the_command_that_starts_it() {
        let error = Error::NoServer { server: Server::Kafka3 };
        assert_eq!(
            error.to_string(),
            "no kafka3 server was found; start one with `cargo xtask up kafka3`, or set `JITNEY_KAFKA3_URL` to its URL"
        );
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = Error::UnknownServer { name: "kafak".into() };
        assert_eq!(
            error.to_string(),
            "no server is named `kafak`; choose from: kafka, kafka3, rabbitmq, eventbridge, postgres, \
             registry"
        );
    }
}
