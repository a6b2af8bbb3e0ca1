//! Instructions per event, counted by valgrind's callgrind.
//!
//! Each contestant runs alone in a process, once with few events and once with more. Start-up and
//! shutdown are in both counts, so the difference over the difference in events is one event's
//! price. Both are whole rounds of the keys: every order is in them equally often. A count hardly
//! varies from run to run, and so decides where clocks on a busy machine cannot.

use std::env;
use std::io::ErrorKind;
use std::process::Command;

use crate::body::KEYS;
use crate::contestant::{ALL, Contestant, Failure};
use crate::measure::Setting;
use crate::single;

const FEW: u64 = 4 * KEYS as u64;
const MORE: u64 = 12 * KEYS as u64;

/// One contestant's price.
#[derive(Debug)]
pub struct Count {
    pub contestant: &'static Contestant,
    pub per_event: f64,
}

/// Why there are no counts.
pub type Skipped = &'static str;

/// Counts for every contestant, or says why it cannot. The event count of `setting` is not used.
pub fn count(setting: &Setting) -> Result<Result<Vec<Count>, Skipped>, Failure> {
    match Command::new("valgrind").arg("--version").output() {
        Ok(output) if output.status.success() => {}
        Ok(_) => return Ok(Err("valgrind is installed and does not start")),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Err("valgrind is not installed")),
        Err(error) => return Err(format!("starting valgrind failed: {error}").into()),
    }
    let mut counts = Vec::new();
    for contestant in ALL {
        eprintln!("counting the instructions of {}", contestant.name);
        let few = total(contestant, &Setting { events: FEW, ..setting.clone() })?;
        let more = total(contestant, &Setting { events: MORE, ..setting.clone() })?;
        counts.push(Count { contestant, per_event: (more as f64 - few as f64) / (MORE - FEW) as f64 });
    }
    Ok(Ok(counts))
}

/// The instructions of a whole process that runs `contestant`.
fn total(contestant: &Contestant, setting: &Setting) -> Result<u64, Failure> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(single::arguments(contestant, setting))
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{} failed under valgrind: {}", contestant.name, told.trim()).into());
    }
    collected(&told).ok_or_else(|| format!("valgrind told no count: {}", told.trim()).into())
}

/// The count in the line `==pid== Collected : count`.
fn collected(told: &str) -> Option<u64> {
    let (_, count) = told.lines().find(|line| line.contains("Collected"))?.rsplit_once(':')?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_among_what_valgrind_tells() {
        let told = "==7== Callgrind\n==7== Events    : Ir\n==7== Collected : 164350\n==7== \n";
        assert_eq!(collected(told), Some(164_350));
        assert_eq!(collected("==7== nothing here"), None);
    }
}
