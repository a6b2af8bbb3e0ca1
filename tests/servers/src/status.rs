//! What `cargo xtask status` says of a server.

use std::fmt::{self, Display, Formatter};

use crate::server::Server;

/// How a server is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// Its address was given from outside; nothing is known of it.
    Given,
    /// All of its nodes serve.
    Up,
    /// All of its nodes run, and not all of them serve: starting, stuck or frozen.
    NotReady,
    /// Some of its nodes run.
    Partly {
        /// How many.
        running: usize,
        /// Of how many.
        of: usize,
    },
    /// None of its nodes runs.
    Down,
}

impl Display for State {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => out.pad("given"),
            Self::Up => out.pad("up"),
            Self::NotReady => out.pad("not ready"),
            Self::Partly { running, of } => out.pad(&format!("{running} of {of}")),
            Self::Down => out.pad("down"),
        }
    }
}

/// A server's line in the table; prints as `name  state  URL  pids`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    /// The server.
    pub server: Server,
    /// How it is.
    pub state: State,
    /// Where it is, or would be.
    pub url: String,
    /// The processes of its nodes that run, node by node.
    pub pids: Vec<u32>,
}

impl Display for Status {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let pids: Vec<_> = self.pids.iter().map(u32::to_string).collect();
        let pids = if pids.is_empty() { "-".to_owned() } else { pids.join(",") };
        write!(out, "{:<11}  {:<9}  {:<63}  {pids}", self.server, self.state, self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_name_state_url_and_processes() {
        let url = "kafka://127.0.0.1:29192,127.0.0.1:29292,127.0.0.1:29392".to_owned();
        let state = State::Partly { running: 2, of: 3 };
        let status = Status { server: Server::Kafka3, state, url, pids: vec![10, 12] };
        assert_eq!(
            status.to_string(),
            "kafka3       2 of 3     kafka://127.0.0.1:29192,127.0.0.1:29292,127.0.0.1:29392          10,12"
        );
    }

    #[test]
    fn columns_line_up_and_nothing_running_is_a_dash() {
        let url = "kafka://127.0.0.1:29092".to_owned();
        let status = Status { server: Server::Kafka, state: State::Down, url, pids: Vec::new() };
        assert_eq!(status.to_string(), format!("kafka        down       {:<63}  -", status.url));
    }
}
