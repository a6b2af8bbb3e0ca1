//! kafkajs on the same broker as we: what it publishes and what it reads.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use jitney::Env;
use jitney::admin::TopicSpec;
use jitney::prelude::*;
use serde_json::Value;

use super::install;
use super::output::{Output, feed};
use crate::peers::article::EventEnvelope;

/// The broker with kafkajs on its other side, for one test.
#[derive(Debug)]
pub(crate) struct Peer {
    program: PathBuf,
    url: String,
    /// Begins the names of what is this test's alone.
    run: String,
}

/// A message, as kafkajs prints it.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    pub(crate) partition: u32,
    pub(crate) key: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) timestamp: i64,
    pub(crate) value: Value,
}

impl Peer {
    /// kafkajs beside us, or the line that says why the test is skipped.
    pub(crate) fn find() -> Option<Peer> {
        let url = jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}"));
        // The program does not know how to log in.
        let program = if url.contains('@') {
            Err("the broker wants a login".to_owned())
        } else {
            install::program("kafkajs")
        };
        let program = install::or_skipped(program, "kafka_node")?;
        Some(Peer { program, url, run: format!("node-{}", Env::system().new_id()) })
    }

    /// Where the broker is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// `name` with something before it that no other run has.
    pub(crate) fn own(&self, name: &str) -> String {
        format!("{}-{name}", self.run)
    }

    /// Our own bus, and `topic` with so many partitions.
    pub(crate) async fn bus(&self, topic: &str, partitions: u32) -> Bus {
        let bus = Bus::connect(&self.url).await.unwrap();
        let topics = [TopicSpec::new(topic).partitions(partitions)];
        bus.admin().unwrap().ensure_topics(&topics).await.unwrap();
        bus
    }

    /// Has kafkajs publish `events`, and waits until the broker has them.
    pub(crate) fn produce(&self, topic: &str, events: &[EventEnvelope]) {
        let printed = feed(&mut self.command(&["produce", "--topic", topic, "--events", "-"]), events);
        assert_eq!(printed, format!("{{\"produced\":{}}}\n", events.len()));
    }

    /// Has kafkajs read `topic` from its beginning, at most `count` messages.
    pub(crate) fn read(&self, topic: &str, count: usize) -> Output<Seen> {
        let (group, count) = (self.own("reader"), count.to_string());
        let arguments = ["consume", "--topic", topic, "--group", &group, "--count", &count];
        Output::of(&mut self.command(&arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let brokers = self.url.trim_start_matches("kafka://").split(['/', '?']).next().unwrap_or_default();
        let mut command = Command::new("node");
        command.arg(&self.program).args(arguments).args(["--brokers", brokers]);
        command
    }
}
