//! One node of a Kafka: its process or container, and what can be done to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::body::Body;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::kafka::properties::Properties;
use crate::kafka::runtime::Runtime;
use crate::kafka::{PASSWORD, USER, probe};
use crate::kind::Kind;
use crate::place::{self, Place};
use crate::ports::{self, Ports};
use crate::process::Signal;
use crate::program;

const LOGGING: &str = include_str!("../../log4j2.properties");
const ONE_ANSWER: Duration = Duration::from_secs(2);

/// The addresses of a node's second listener, whose clients go through a proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Proxied {
    /// Where the node listens: the proxy connects to it.
    pub upstream: SocketAddr,
    /// What the node tells its clients: the proxy has to listen here, and a client has to begin here.
    pub proxy: SocketAddr,
}

/// A broker, which is also a controller.
#[derive(Debug)]
pub struct Node {
    pub(crate) id: u32,
    pub(crate) ports: Ports,
    pub(crate) folder: PathBuf,
    pub(crate) place: Place,
    pub(crate) cluster_id: String,
    pub(crate) secured: bool,
    pub(crate) heap: Heap,
    pub(crate) body: Body,
    /// No file of its process grows beyond this, in bytes.
    pub(crate) file_limit: Option<u64>,
}

/// How much memory a node takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Heap {
    /// For one node with all the work.
    Full,
    /// For one of several nodes.
    Small,
}

impl Node {
    /// Its number, from 1.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ports::local(self.ports.client())
    }

    /// The listener for clients that go through a proxy.
    #[must_use]
    pub fn proxied(&self) -> Proxied {
        Proxied { upstream: ports::local(self.ports.proxied()), proxy: ports::local(self.ports.proxy()) }
    }

    /// The id of its process, if it runs. A frozen one runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.body.pid()
    }

    /// Where its output is: a file, or the command that shows it.
    #[must_use]
    pub fn log(&self) -> String {
        self.body.log()
    }

    /// Starts it with the data that it has, and does not wait; nothing happens if it runs.
    ///
    /// # Errors
    ///
    /// When what it needs is missing, or one of its ports is taken.
    pub fn start(&self) -> Result<(), Error> {
        if self.pid().is_some() {
            return Ok(());
        }
        self.ports.check(self.secured)?;
        self.body.start(&self.place, || {
            let runtime = Runtime::ready(Kind::Packages, &self.place)?;
            Ok(limited(&self.command(&runtime), self.file_limit))
        })
    }

    /// Kills it with SIGKILL, if it runs, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// When it cannot be killed.
    pub fn kill(&self) -> Result<(), Error> {
        self.body.kill()
    }

    /// Lets it stand still with SIGSTOP: its connections stay, and nobody answers on them.
    ///
    /// # Errors
    ///
    /// When it does not run, or takes no signal.
    pub fn freeze(&self) -> Result<(), Error> {
        self.body.signal(Signal::Stop)
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    ///
    /// # Errors
    ///
    /// When it does not run, or takes no signal.
    pub fn thaw(&self) -> Result<(), Error> {
        self.body.signal(Signal::Continue)
    }

    /// Waits until it answers requests as a live member of its cluster.
    ///
    /// # Errors
    ///
    /// When it does not within `limit`, or its process ends before.
    pub fn wait_ready(&self, limit: Duration) -> Result<(), Error> {
        self.wait_ready_among(&[self.id], limit)
    }

    /// Waits until it answers, and knows the nodes `ids` to be alive.
    pub(crate) fn wait_ready_among(&self, ids: &[u32], limit: Duration) -> Result<(), Error> {
        self.body.wait_ready(limit, || self.ready_now(ids))
    }

    /// Waits until its process has ended by itself, as a broker's does whose disk is full; false if it still runs after
    /// `limit`.
    #[must_use]
    pub fn ended(&self, limit: Duration) -> bool {
        Deadline::after(limit).wait_until(|| self.pid().is_none())
    }

    /// Runs one of Kafka's own tools against the node, such as `org.apache.kafka.tools.TopicCommand`, and returns what
    /// it prints.
    ///
    /// # Errors
    ///
    /// When the tool cannot be started or fails; the message has what it printed.
    pub fn tool(&self, class: &str, args: &[&str]) -> Result<String, Error> {
        let runtime = Runtime::ready(self.body.kind(), &self.place)?;
        let mut command = runtime.tool(&self.place, "java");
        command.args(["-XX:TieredStopAtLevel=1", "-cp"]).arg(runtime.class_path()).arg(class);
        command.args(["--bootstrap-server", &self.address().to_string()]).args(args);
        program::run(&mut command)
    }

    /// Writes the files that it is started with.
    pub(crate) fn prepare(&self, properties: &Properties) -> Result<(), Error> {
        place::create(&self.data())?;
        place::write(&self.folder.join("server.properties"), &properties.to_string())?;
        place::write(&self.folder.join("log4j2.properties"), LOGGING)
    }

    /// The command that makes its data folder one of its cluster.
    pub(crate) fn format(&self, runtime: &Runtime) -> Command {
        let mut command = runtime.tool(&self.place, "java");
        command.arg("-cp").arg(runtime.class_path());
        command.args(["kafka.tools.StorageTool", "format", "-t", &self.cluster_id]);
        command.arg("-c").arg(self.folder.join("server.properties"));
        if self.secured {
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                command.args(["--add-scram", &format!("{mechanism}=[name={USER},password={PASSWORD}]")]);
            }
        }
        command
    }

    /// Ends it, and removes everything but its output.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        self.body.remove()?;
        place::remove_folder(&self.data())
    }

    /// The folder of its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn command(&self, runtime: &Runtime) -> Command {
        let mut command = runtime.tool(&self.place, "java");
        match self.heap {
            Heap::Full => command.args(["-Xms256m", "-Xmx512m"]),
            Heap::Small => command.args(["-Xms128m", "-Xmx256m", "-XX:+UseSerialGC"]),
        };
        command
            .arg(format!("-Dlog4j2.configurationFile={}", self.folder.join("log4j2.properties").display()))
            .arg("-cp")
            .arg(runtime.class_path())
            .arg("kafka.Kafka")
            .arg(self.folder.join("server.properties"))
            .current_dir(&self.folder);
        command
    }

    fn ready_now(&self, ids: &[u32]) -> Result<(), String> {
        let answer = probe::ask(self.address(), ONE_ANSWER).map_err(|error| error.to_string())?;
        if answer.cluster_id != self.cluster_id {
            return Err(format!("{} is a broker of another cluster", self.address()));
        }
        let lacks =
            ids.iter().find(|id| !answer.brokers.iter().any(|alive| i64::from(*alive) == i64::from(**id)));
        match lacks {
            None => Ok(()),
            Some(id) => Err(format!("node {id} is not among the live ones {:?}", answer.brokers)),
        }
    }
}

/// The body of the node `what` in `folder`; what tells its process from others is the file that it is started with.
pub(crate) fn body(kind: Kind, what: String, folder: &Path, service: String) -> Body {
    Body::new(kind, what, folder, &folder.join("server.properties"), service)
}

/// `command` with no file growing beyond `limit` bytes: writes beyond it fail, as on a full disk.
fn limited(command: &Command, limit: Option<u64>) -> Command {
    const BLOCK: u64 = 512;
    let mut all = match limit {
        None => Command::new(command.get_program()),
        Some(bytes) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("ulimit -f {}; exec \"$@\"", bytes / BLOCK), "sh"]);
            shell.arg(command.get_program());
            shell
        }
    };
    all.args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        all.current_dir(folder);
    }
    all
}
