//! pika on the same server as we: what it publishes and what it reads.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use jitney::Env;
use jitney::admin::TopicSpec;
use jitney::prelude::*;
use serde_json::Value;

/// The client, as PyPI knows it.
const PIKA: &str = "pika==1.4.4";

/// How long to wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// The server with pika on its other side, for one test.
#[derive(Debug)]
pub(crate) struct Peer {
    python: PathBuf,
    url: String,
    /// Begins the names of what is this test's alone.
    run: String,
}

/// A message for pika to publish.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    pub(crate) routing_key: String,
    pub(crate) properties: Value,
    pub(crate) body: Value,
}

/// A message, as pika reads it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Seen {
    pub(crate) routing_key: String,
    pub(crate) properties: Value,
    pub(crate) headers: BTreeMap<String, Value>,
    pub(crate) body: Value,
}

/// pika while it reads; ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    child: Child,
    lines: Receiver<String>,
}

impl Peer {
    /// pika beside us.
    pub(crate) fn find() -> Peer {
        let url = jitney_test_servers::rabbitmq_url().unwrap_or_else(|error| panic!("{error}"));
        let python = jitney_test_servers::python_with(PIKA).unwrap_or_else(|error| panic!("{error}"));
        Peer { python, url, run: format!("python-{}", Env::system().new_id()) }
    }

    /// `name` with something before it that no other run has.
    pub(crate) fn own(&self, name: &str) -> String {
        format!("{}-{name}", self.run)
    }

    /// Our own bus, and the exchange of `topic`.
    pub(crate) async fn bus(&self, topic: &str) -> Bus {
        let bus = Bus::connect(&self.url).await.unwrap();
        bus.admin().unwrap().ensure_topics(&[TopicSpec::new(topic)]).await.unwrap();
        bus
    }

    /// Has pika publish `messages`, and waits until the server has confirmed them.
    pub(crate) fn publish(&self, exchange: &str, messages: &[Sent]) {
        let mut child =
            self.command(&["publish", "--exchange", exchange]).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        for message in messages {
            writeln!(input, "{}", serde_json::to_string(message).unwrap()).unwrap();
        }
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["published"], messages.len());
    }

    /// Has pika read what comes to `exchange` from now on and matches `binding`.
    pub(crate) fn read(&self, exchange: &str, binding: &str) -> Reader {
        self.reader(&["read", "--exchange", exchange, "--binding", binding])
    }

    /// Has pika read a queue that is there.
    pub(crate) fn read_queue(&self, queue: &str) -> Reader {
        self.reader(&["read", "--queue", queue])
    }

    fn reader(&self, arguments: &[&str]) -> Reader {
        let mut child = self.command(arguments).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let reader = Reader { child, lines };
        assert_eq!(reader.line(), "{\"ready\": true}");
        reader
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pika/bus.py");
        // Our own parameters are not pika's.
        let url = self.url.split('?').next().unwrap_or_default();
        let mut command = Command::new(&self.python);
        command.arg(program).args(arguments).args(["--url", url]).stdout(Stdio::piped());
        command
    }
}

impl Reader {
    /// The next message.
    pub(crate) fn next(&self) -> Seen {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The next message that `wanted` holds for: the exchange may have those of other runs.
    pub(crate) fn next_where(&self, wanted: impl Fn(&Seen) -> bool) -> Seen {
        loop {
            let seen = self.next();
            if wanted(&seen) {
                return seen;
            }
        }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("pika reads another message")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
