//! Real servers by name: up, down and their state.

use std::io::{self, Write};
use std::process::ExitCode;

use jitney_test_servers::{Server, State, Status, down_throw_away};

use crate::error::Error;

/// Starts `servers`, as far as they do not run, and prints their state.
pub(crate) fn up(servers: &[Server]) -> Result<ExitCode, Error> {
    for server in servers {
        print(&server.up()?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends `servers`, or all of them with what tests left behind, and prints their state.
pub(crate) fn down(servers: &[Server]) -> Result<ExitCode, Error> {
    let named = if servers.is_empty() { &Server::ALL } else { servers };
    for server in named {
        print(&server.down()?)?;
    }
    if servers.is_empty() {
        down_throw_away()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the state of every server.
pub(crate) fn status() -> Result<ExitCode, Error> {
    for server in Server::ALL {
        print(&server.status()?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(status: &Status) -> Result<(), Error> {
    writeln!(io::stdout(), "{status}").map_err(Error::Print)
}

/// Servers that a run started itself, and ends when it is over. Ctrl-C does not reach them: then they stay up, are used
/// by the next run, and end by `cargo xtask down`.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    started: Vec<Server>,
}

impl Servers {
    /// Starts `servers`, as far as they do not run.
    pub(crate) fn start(&mut self, servers: &[Server]) -> Result<(), Error> {
        for server in servers {
            // Before it is tried, as a start that fails halfway has to be cleaned up too.
            if server.status()?.state == State::Down {
                self.started.push(*server);
            }
            print(&server.up()?)?;
        }
        Ok(())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for server in &self.started {
            if let Err(error) = server.down() {
                eprintln!("error: {server} could not be ended: {error}; `cargo xtask down` tries again");
            }
        }
    }
}
