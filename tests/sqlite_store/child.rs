//! Processes that write to a file: this test program again, told by its environment what to do.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use jitney::Env;
use jitney::sourcing::{Append, ErrorKind, EventStore, Expected};
use jitney::sql::SqliteStore;
use serde::{Deserialize, Serialize};

use super::events::{event, stream};

const VARIABLE: &str = "JITNEY_SQLITE_CHILD";

/// What a process has to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) role: Role,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Appends batches to two logs at once until it is killed, and says which are answered.
    Batches,
    /// Appends so many events to one log, each where it has just seen the end.
    Turns(u64),
}

/// The batch `number` of `writer`: two events for its own log, one for a log that all write to.
pub(crate) fn batch(writer: &str, number: u64) -> Append {
    let id = |index: u64| format!("{writer}-{number}-{index}");
    let own = (0..2).map(|index| event(writer, &id(index), writer, number));
    Append::to(stream(writer), Expected::Exact((number - 1) * 2), own).and_to(
        stream("shared"),
        Expected::Any,
        [event("shared", &id(2), writer, number)],
    )
}

impl Orders {
    async fn obey(&self) {
        say("ready");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        let store = SqliteStore::open(&self.path).await.unwrap();
        match self.role {
            Role::Batches => {
                for number in 1.. {
                    say(&format!("begin {number}"));
                    store.append(batch(&self.name, number)).await.unwrap();
                    say(&format!("acked {number}"));
                }
            }
            Role::Turns(turns) => {
                for turn in 1..=turns {
                    let sequence = self.take_turn(&store, turn).await;
                    say(&format!("acked {sequence}"));
                }
            }
        }
        store.close().await;
    }

    /// Appends one event where it has seen the end, however often another process comes first.
    async fn take_turn(&self, store: &SqliteStore, turn: u64) -> u64 {
        let stream = stream("shared");
        loop {
            let last = store.stream_info(&stream).await.unwrap().map_or(0, |info| info.last_sequence);
            let next = event("shared", &format!("{}-{turn}", self.name), &self.name, turn);
            match store.append(Append::to(stream.clone(), Expected::Exact(last), [next])).await {
                Ok(appended) => return appended.streams[0].last_sequence,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
            }
        }
    }
}

fn say(word: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "child: {word}").unwrap();
    out.flush().unwrap();
}

/// Does what this process was started for; false where it is no child.
pub(crate) fn obeyed() -> bool {
    let Ok(orders) = env::var(VARIABLE) else { return false };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(orders.obey());
    true
}

/// A process of ours. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Child {
    /// Starts a process from inside of `test`, a test that begins with [`obeyed`]. It does nothing until it is told to go.
    pub(crate) fn start(test: &str, orders: &Orders) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(VARIABLE, serde_json::to_string(orders).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut child = Child { process, input, output: BufReader::new(output) };
        assert_eq!(child.says().as_deref(), Some("ready"));
        child
    }

    pub(crate) fn go(&mut self) {
        writeln!(self.input, "go").unwrap();
    }

    /// The next thing that it says; nothing once it has ended.
    pub(crate) fn says(&mut self) -> Option<String> {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            // Whole lines only: it may have been killed in the middle of one. The test harness prints before the first.
            if let Some((_, word)) = line.strip_suffix('\n').and_then(|line| line.split_once("child: ")) {
                return Some(word.to_owned());
            }
            line.clear();
        }
        None
    }

    /// Everything that it still says until it has ended, which it has to do well.
    pub(crate) fn ends(mut self) -> Vec<String> {
        let said = std::iter::from_fn(|| self.says()).collect();
        assert!(self.process.wait().unwrap().success());
        said
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A random number below `bound`, at least `least`.
pub(crate) fn random(least: u64, bound: u64) -> u64 {
    least + Env::system().random() % (bound - least)
}

/// The number behind `word` in what a child said.
pub(crate) fn number(said: &str, word: &str) -> Option<u64> {
    said.strip_prefix(word)?.trim().parse().ok()
}
