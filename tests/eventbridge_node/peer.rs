//! AWS's SDK for JavaScript on the same bus as we: what it publishes and what it reads.

use std::path::PathBuf;
use std::process::Command;

use jitney::prelude::*;
use serde_json::{Value, json};

use super::install;
use super::output::{Output, feed};
use super::server;

/// A bus of a test's own, with the program on its other side.
#[derive(Debug)]
pub(crate) struct Peer {
    program: PathBuf,
    name: String,
}

/// What a service of the article publishes, from the fields of its `EventEnvelope`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    pub(crate) event_type: String,
    pub(crate) aggregate_type: String,
    pub(crate) timestamp: String,
    pub(crate) payload: Value,
    pub(crate) metadata: Value,
}

/// What the article's handler sees of an event.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seen {
    pub(crate) source: String,
    pub(crate) detail_type: String,
    pub(crate) time: String,
    pub(crate) payload: Value,
    pub(crate) metadata: Value,
}

impl Peer {
    /// A new bus with the program beside it, or the line that says why the test is skipped.
    pub(crate) fn find() -> Option<Peer> {
        let program = install::or_skipped(install::program("eventbridgejs"), "eventbridge_node")?;
        let name = server::fresh("node");
        server::call("AWSEvents.CreateEventBus", &json!({ "Name": name }));
        Some(Peer { program, name })
    }

    /// The bus.
    pub(crate) async fn bus(&self) -> Bus {
        Bus::new(server::on_bus(&self.name, "wait=1s").connect().await.unwrap())
    }

    /// `name` with something behind it that no other run has.
    pub(crate) fn own(&self, name: &str) -> String {
        format!("{name}-{}", self.name)
    }

    /// Has the service called `service` publish `events`, and waits until the bus has them.
    pub(crate) fn publish(&self, service: &str, events: &[Event]) {
        let printed = feed(&mut self.command(&["publish", "--service", service, "--events", "-"]), events);
        assert_eq!(printed, format!("{{\"published\":{}}}\n", events.len()));
    }

    /// Has a service of the article read what `pattern` matches from now on, at most `count` events.
    pub(crate) fn read(&self, pattern: &Value, count: usize) -> Output<Seen> {
        let (pattern, count, queue) = (pattern.to_string(), count.to_string(), self.own("reader"));
        let arguments = ["consume", "--queue", &queue, "--pattern", &pattern, "--count", &count];
        let mut output = Output::of(&mut self.command(&arguments));
        assert_eq!(output.next_line(), r#"{"ready":true}"#);
        output
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let url = server::url();
        let endpoint = url.split("endpoint=").nth(1).and_then(|rest| rest.split('&').next()).unwrap();
        let mut command = Command::new("node");
        command.arg(&self.program).args(arguments).args(["--endpoint", endpoint, "--bus", &self.name]);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", server::SECRET);
        command
    }
}
