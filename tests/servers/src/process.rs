//! Processes that outlive the one that started them: known by a file with their id, and by a mark in their command
//! line that tells them from a stranger who got the same id later.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::place;
use crate::program;

const GOING_AWAY: Duration = Duration::from_secs(60);

/// What can be sent to a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signal {
    /// End at once, without a chance to tidy up.
    Kill,
    /// End soon, and tidy up.
    Interrupt,
    /// Stand still.
    Stop,
    /// Go on.
    Continue,
}

impl Signal {
    /// The name that `kill -s` takes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Interrupt => "INT",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        }
    }
}

/// A process that may run or not.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pid_file: PathBuf,
    mark: String,
}

impl Process {
    /// The process whose id is in `pid_file` and whose command line has the argument `mark`.
    pub(crate) fn new(pid_file: PathBuf, mark: &Path) -> Self {
        Self { pid_file, mark: mark.to_string_lossy().into_owned() }
    }

    /// Its id, if it runs and is the one that was started.
    pub(crate) fn pid(&self) -> Option<u32> {
        let text = fs::read_to_string(&self.pid_file).ok()?;
        let pid = text.trim().parse().ok()?;
        has_argument(pid, &self.mark).then_some(pid)
    }

    /// Starts `command` in a process group of its own, so that Ctrl-C does not reach it, with its output added to
    /// `log`.
    pub(crate) fn start(&self, mut command: Command, log: &Path) -> Result<u32, Error> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.map_err(Error::file("open", log))?;
        let errors = output.try_clone().map_err(Error::file("open", log))?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|error| Error::Program { command: program::line(&command), how: error.to_string() })?;
        let pid = child.id();
        let written = place::write(&self.pid_file, &format!("{pid}\n"));
        if written.is_err() {
            // What nobody could find again must not go on; the error that matters is the file's.
            let _ = child.kill();
        }
        // Takes its end, so that a killed child is not left as a zombie that looks alive.
        thread::spawn(move || child.wait());
        written.map(|()| pid)
    }

    /// Sends `signal`; false if the process does not run.
    pub(crate) fn signal(&self, signal: Signal) -> Result<bool, Error> {
        let Some(pid) = self.pid() else { return Ok(false) };
        send(pid, signal)
    }

    /// Kills the process, if it runs, and waits until it is gone.
    pub(crate) fn kill(&self) -> Result<(), Error> {
        let Some(pid) = self.pid() else { return Ok(()) };
        self.signal(Signal::Kill)?;
        if Deadline::after(GOING_AWAY).wait_until(|| !lives(pid)) {
            return Ok(());
        }
        let seconds = GOING_AWAY.as_secs();
        Err(Error::Signal {
            what: format!("process {pid}"),
            how: format!("it was killed and is still there after {seconds} s"),
        })
    }
}

/// Sends `signal` to the process `pid`; false if it has ended.
pub(crate) fn send(pid: u32, signal: Signal) -> Result<bool, Error> {
    // The shell's own `kill` exists where the program of that name does not.
    let mut command = Command::new("sh");
    command.args(["-c", &format!("kill -s {} {pid}", signal.name())]);
    match program::run(&mut command) {
        Ok(_) => Ok(true),
        Err(_) if !lives(pid) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The ids and command lines of all processes that run, as far as they can be seen; arguments are parted by spaces.
#[cfg(target_os = "linux")]
pub(crate) fn all() -> Vec<(u32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let command = |pid: u32| {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok().filter(|_| lives(pid))?;
        Some((pid, String::from_utf8_lossy(&bytes).replace('\0', " ")))
    };
    pids.filter_map(command).collect()
}

/// The ids and command lines of all processes that run, as far as they can be seen; arguments are parted by spaces.
#[cfg(not(target_os = "linux"))]
pub(crate) fn all() -> Vec<(u32, String)> {
    let lines = program::answer("ps", &["-axww", "-o", "pid=,command="]).unwrap_or_default();
    let process = |line: &str| {
        let (pid, command) = line.trim_start().split_once(' ')?;
        Some((pid.parse().ok()?, command.trim_start().to_owned()))
    };
    lines.lines().filter_map(process).collect()
}

#[cfg(target_os = "linux")]
fn has_argument(pid: u32, mark: &str) -> bool {
    let mut arguments = Vec::new();
    // In the middle of its `exec` a process has no arguments; a zombie has none for good.
    Deadline::after(Duration::from_secs(10)).wait_until(|| {
        arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        !arguments.is_empty() || !lives(pid)
    });
    arguments.split(|byte| *byte == 0).any(|argument| argument == mark.as_bytes())
}

/// Whether a process of this id has not ended yet, with all of its threads: only then its ports are free.
#[cfg(target_os = "linux")]
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the program's name, which is in brackets and may have any characters.
    let Some((_, rest)) = stat.rsplit_once(") ") else { return false };
    let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    // The first thread is a zombie while others still end.
    !rest.starts_with(['Z', 'X']) || threads > 1
}

#[cfg(not(target_os = "linux"))]
fn has_argument(pid: u32, mark: &str) -> bool {
    program::answer("ps", &["-ww", "-o", "command=", "-p", &pid.to_string()])
        .is_some_and(|line| line.contains(mark))
}

#[cfg(not(target_os = "linux"))]
fn lives(pid: u32) -> bool {
    program::answer("ps", &["-p", &pid.to_string()]).is_some()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sleeper(folder: &Path) -> (Process, Command) {
        let mark = folder.join("mark");
        let process = Process::new(folder.join("pid"), &mark);
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60; true"]).arg(&mark);
        (process, command)
    }

    #[test]
    fn what_was_started_is_found_and_can_be_killed() {
        let folder = place::tests::empty("process-kill");
        let (process, command) = sleeper(&folder);
        assert_eq!(process.pid(), None);
        let pid = process.start(command, &folder.join("log")).unwrap();
        assert!(Deadline::after(GOING_AWAY).wait_until(|| process.pid() == Some(pid)));
        process.kill().unwrap();
        assert_eq!(process.pid(), None);
        process.kill().unwrap();
        assert!(!process.signal(Signal::Stop).unwrap());
    }

    #[test]
    fn a_stranger_with_the_same_id_is_not_taken_for_ours() {
        let folder = place::tests::empty("process-stranger");
        place::write(&folder.join("pid"), &std::process::id().to_string()).unwrap();
        let process = Process::new(folder.join("pid"), &folder.join("mark"));
        assert_eq!(process.pid(), None);
    }

    #[test]
    fn a_pid_file_with_something_else_in_it_means_that_nothing_runs() {
        let folder = place::tests::empty("process-damaged");
        place::write(&folder.join("pid"), "12x").unwrap();
        let process = Process::new(folder.join("pid"), &folder.join("mark"));
        assert_eq!(process.pid(), None);
    }
}
