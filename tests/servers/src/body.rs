//! What a server, or a node of one, is to the system: a process of this machine, or a container.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::docker::Container;
use crate::error::Error;
use crate::kind::Kind;
use crate::place::Place;
use crate::process::{Process, Signal};

/// A process or a container that may run or not, with the name that errors call it by.
#[derive(Debug)]
pub(crate) struct Body {
    what: String,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Process { process: Process, log: PathBuf },
    Container(Container),
}

impl Body {
    /// The body of `what`, of the kind that the server is of: its process has its pid and its output in `folder`, and
    /// the argument `mark` in its command line; its container is that of `service`.
    pub(crate) fn new(kind: Kind, what: String, folder: &Path, mark: &Path, service: String) -> Self {
        let form = match kind {
            Kind::Packages => Form::Process {
                process: Process::new(folder.join("pid"), mark),
                log: folder.join("server.log"),
            },
            Kind::Docker => Form::Container(Container::new(service)),
        };
        Self { what, form }
    }

    /// What it is called.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// What it runs in.
    pub(crate) fn kind(&self) -> Kind {
        match &self.form {
            Form::Process { .. } => Kind::Packages,
            Form::Container(_) => Kind::Docker,
        }
    }

    /// The id of its process, if it runs. A frozen one runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        match &self.form {
            Form::Process { process, .. } => process.pid(),
            Form::Container(container) => container.pid(),
        }
    }

    /// Where its output is: a file, or the command that shows it.
    pub(crate) fn log(&self) -> String {
        match &self.form {
            Form::Process { log, .. } => log.display().to_string(),
            Form::Container(container) => format!("docker logs {}", container.name()),
        }
    }

    /// Starts it and does not wait: by `command`, if it is a process.
    pub(crate) fn start(
        &self,
        place: &Place,
        command: impl FnOnce() -> Result<Command, Error>,
    ) -> Result<(), Error> {
        match &self.form {
            Form::Process { process, log } => process.start(command()?, log).map(drop),
            Form::Container(container) => container.start(place),
        }
    }

    /// Kills it, if it runs, and waits until it is gone.
    pub(crate) fn kill(&self) -> Result<(), Error> {
        match &self.form {
            Form::Process { process, .. } => process.kill(),
            Form::Container(container) => container.signal(Signal::Kill).map(drop),
        }
    }

    /// Sends `signal`; an error if it does not run.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Error> {
        let reached = match &self.form {
            Form::Process { process, .. } => process.signal(signal)?,
            Form::Container(container) => container.signal(signal)?,
        };
        if reached { Ok(()) } else { Err(self.not_running()) }
    }

    /// Ends it for good; its output stays as far as it is a file.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        match &self.form {
            Form::Process { process, .. } => process.kill(),
            Form::Container(container) => container.remove(),
        }
    }

    /// A command that runs `program` in its container, with the variables of the file `environment`; `None` if it is a
    /// process.
    pub(crate) fn inside(&self, program: &str) -> Option<Command> {
        match &self.form {
            Form::Process { .. } => None,
            Form::Container(container) => Some(container.inside(program)),
        }
    }

    /// Asks until `ask` says that it serves, its process has ended, or the time is over.
    pub(crate) fn wait_ready(
        &self,
        limit: Duration,
        mut ask: impl FnMut() -> Result<(), String>,
    ) -> Result<(), Error> {
        let mut last = Ok(());
        Deadline::after(limit).wait_until(|| {
            last = ask();
            last.is_ok() || self.pid().is_none()
        });
        match last {
            Ok(()) => Ok(()),
            Err(_) if self.pid().is_none() => Err(self.not_running()),
            Err(why) => Err(Error::NotReady { what: self.what.clone(), limit, why, log: self.log() }),
        }
    }

    /// Lets it go on if it is frozen, and calls `start` if it does not run.
    pub(crate) fn revive(&self, start: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        match self.signal(Signal::Continue) {
            Err(Error::NotRunning { .. }) => start(),
            other => other,
        }
    }

    fn not_running(&self) -> Error {
        Error::NotRunning { what: self.what.clone(), log: self.log() }
    }
}
