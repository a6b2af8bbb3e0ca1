//! The mode with one contestant in the process, and reading back what it says.
//!
//! It runs once and prints its figures, one a line. The counts run it under valgrind, and
//! the peak of resident memory is read from it, since a process has only one peak.

use std::env;
use std::fmt::Write;
use std::process::Command;

use crate::contestant::{Contestant, Failure};
use crate::measure::{self, Setting};
use crate::memory::own_memory;

const RESIDENT: &str = "peak-resident-kib";

/// Runs `contestant` once and tells what it took.
pub fn run(contestant: &Contestant, setting: &Setting) -> Result<String, Failure> {
    let work = setting.workload();
    let lap = measure::once(contestant, setting, &work)?;
    let seconds = lap.elapsed.as_secs_f64();

    let mut told = String::new();
    writeln!(told, "contestant {}", contestant.name)?;
    writeln!(told, "events {}", setting.events)?;
    writeln!(told, "seconds {seconds:.6}")?;
    writeln!(told, "events-per-second {:.0}", setting.events as f64 / seconds)?;
    if let Some(kib) = own_memory("VmHWM:") {
        writeln!(told, "{RESIDENT} {kib}")?;
    }
    Ok(told)
}

/// The arguments that run `contestant` alone.
pub fn arguments(contestant: &Contestant, setting: &Setting) -> Vec<String> {
    [
        ("--only", contestant.name.to_owned()),
        ("--events", setting.events.to_string()),
        ("--window", setting.window.to_string()),
        ("--threads", setting.threads.to_string()),
    ]
    .into_iter()
    .flat_map(|(option, value)| [option.to_owned(), value])
    .collect()
}

/// The peak resident memory of a process that runs `contestant` alone, in KiB; none where the
/// system does not tell.
pub fn resident(contestant: &Contestant, setting: &Setting) -> Result<Option<u64>, Failure> {
    let output = Command::new(env::current_exe()?).args(arguments(contestant, setting)).output()?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed in a process of its own: {}", contestant.name, told.trim()).into());
    }
    let told = String::from_utf8_lossy(&output.stdout);
    Ok(told.lines().find_map(|line| line.strip_prefix(RESIDENT)).and_then(|kib| kib.trim().parse().ok()))
}
