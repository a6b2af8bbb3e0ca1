//! What can go wrong in a command, each with the way out.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::PathBuf;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Error {
    /// A program could not be started.
    Start {
        /// The program's name.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The output of a running program could not be read, or its end not awaited.
    Follow {
        /// The program's name.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output took no more text.
    Print(io::Error),
    /// A file could not be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A bench or a fuzz target with that name does not exist.
    Unknown {
        /// `bench` or `fuzz target`.
        kind: &'static str,
        /// The name that was given.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// A tool that the command needs is not installed.
    Missing {
        /// The tool.
        tool: &'static str,
        /// The command that installs it.
        install: &'static str,
    },
    /// A server could not be started, ended or asked.
    Server(jitney_test_servers::Error),
}

impl Display for Error {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { program, source } => {
                write!(
                    out,
                    "could not start `{program}`: {source}; check that it is installed and on the PATH"
                )
            }
            Self::Follow { program, source } => {
                write!(out, "lost track of `{program}` while it ran: {source}; run the command again")
            }
            Self::Print(source) => {
                write!(out, "could not print: {source}; keep standard output open until the command ends")
            }
            Self::Read { path, source } => {
                let path = path.display();
                write!(out, "could not read `{path}`: {source}; run the command inside a full checkout")
            }
            Self::Unknown { kind, name, known } => {
                write!(out, "no {kind} is named `{name}`; choose one of: {}", known.join(", "))
            }
            Self::Server(error) => write!(out, "{error}"),
            Self::Missing { tool, install } => {
                write!(out, "{tool} is not installed; install it with `{install}`")
            }
        }
    }
}

impl From<jitney_test_servers::Error> for Error {
    fn from(error: jitney_test_servers::Error) -> Self {
        Self::Server(error)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start { source, .. }
            | Self::Follow { source, .. }
            | Self::Print(source)
            | Self::Read { source, .. } => Some(source),
            Self::Server(error) => error.source(),
            Self::Unknown { .. } | Self::Missing { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = Error::Unknown { kind: "bench", name: "x".into(), known: vec!["a".into(), "b".into()] };
        assert_eq!(error.to_string(), "no bench is named `x`; choose one of: a, b");
    }

    #[test]
    fn a_missing_tool_comes_with_its_install_command() {
        let error = Error::Missing { tool: "cargo-fuzz", install: "cargo install --locked cargo-fuzz" };
        assert_eq!(
            error.to_string(),
            "cargo-fuzz is not installed; install it with `cargo install --locked cargo-fuzz`"
        );
    }
}
