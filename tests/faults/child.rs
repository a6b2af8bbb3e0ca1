//! Processes that can be killed: this test program again, told by its environment what to do.

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jitney::app::RunningApp;
use jitney::prelude::*;
use jitney::{App, Bus, Env};
use jitney_testkit::history::Recorder;
use serde::{Deserialize, Serialize};

use super::events::{Work, handle};
use super::load::Load;
use super::watched::{Topics, Watched};
use crate::backend;

const VARIABLE: &str = "JITNEY_FAULTS_CHILD";

/// What a process has to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// What it is called in the records.
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) run: String,
    pub(crate) folder: PathBuf,
    pub(crate) role: Role,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Handles events until it is stopped; each takes as many milliseconds.
    Handle { least: u64, most: u64 },
    /// Makes one output of each event until it is stopped, as surely as the broker can.
    Derive { least: u64, most: u64 },
    /// Publishes until it is killed.
    Publish(Load),
}

impl Orders {
    /// A bus whose traffic is recorded under this name.
    pub(crate) async fn bus(&self) -> Result<Bus, jitney::Error> {
        let path = self.folder.join(format!("{}.jsonl", self.name));
        let recorder = Recorder::to_file(&self.name, Env::system(), &path).unwrap();
        let transport = backend::connect(&self.url).await?;
        Ok(Bus::new(Watched::new(transport, recorder, Topics::of(&self.run), &self.name)))
    }

    /// The application of a handling role.
    pub(crate) async fn start(&self) -> Result<RunningApp, jitney::Error> {
        let app = App::new("faults", self.bus().await?).group_prefix(&self.run);
        let work = |least: &u64, most: &u64| {
            let (least, most) = (Duration::from_millis(*least), Duration::from_millis(*most));
            Work { env: Env::system(), least, most }
        };
        let app = match &self.role {
            Role::Handle { least, most } => app.state(work(least, most)).handlers(handlers![handle]),
            Role::Derive { least, most } => app.state(work(least, most)).handlers(backend::deriving()),
            Role::Publish(_) => panic!("a publisher handles nothing"),
        };
        app.spawn().await
    }

    async fn obey(&self) {
        if let Role::Publish(load) = &self.role {
            let bus = self.bus().await.unwrap();
            load.publish(&bus, &AtomicBool::new(false)).await;
            return;
        }
        let mut running = self.start().await.unwrap();
        let stopped = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        tokio::select! {
            // The end of its input stops it, or of its parent.
            stopped = stopped => drop(stopped.unwrap().unwrap()),
            error = running.failed() => {
                // The reader of the input would hold a panic up.
                eprintln!("the group has ended: {error:?}");
                std::process::exit(1);
            }
        }
        running.shutdown().await.unwrap();
    }
}

/// Does what this process was started for; false where it is no child.
pub(crate) fn obeyed() -> bool {
    let Ok(orders) = env::var(VARIABLE) else { return false };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    super::log::begin();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(orders.obey());
    true
}

/// A process of ours. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) name: String,
    process: std::process::Child,
}

impl Child {
    /// Starts a process from inside of `test`, a test that begins with [`obeyed`].
    pub(crate) fn start(test: &str, orders: &Orders) -> Self {
        let log = File::create(orders.folder.join(format!("{}.log", orders.name))).unwrap();
        let process = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(VARIABLE, serde_json::to_string(orders).unwrap())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Child { name: orders.name.clone(), process }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// Asks it to shut down in order.
    pub(crate) fn stop(&mut self) {
        drop(self.process.stdin.take());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The log of a process, for whoever looks for the reason of a failure.
pub(crate) fn log(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default()
}
