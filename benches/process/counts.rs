//! What one event costs in instructions and in heap, counted by valgrind.
//!
//! Each contestant runs alone in a process, once with few events and once with more: under callgrind
//! for the instructions, under memcheck for the heap. Start-up and shutdown are in both runs, so the
//! difference over the difference in events is one event's price. Both are whole rounds of the keys:
//! every order is in them equally often. A count hardly varies from run to run, and so decides where
//! clocks on a busy machine cannot.

use std::env;
use std::io::ErrorKind;
use std::process::Command;

use crate::body::KEYS;
use crate::contestant::{Contestant, Failure};
use crate::contestants::ALL;
use crate::measure::Setting;
use crate::single;

const FEW: u64 = 4 * KEYS as u64;
const MORE: u64 = 12 * KEYS as u64;

const CALLGRIND: &[&str] = &["--tool=callgrind", "--callgrind-out-file=/dev/null"];
const MEMCHECK: &[&str] = &["--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"];

/// One contestant's price of an event.
#[derive(Debug)]
pub struct Count {
    pub contestant: &'static Contestant,
    pub instructions: f64,
    /// Calls that gave out a block of the heap; one that grows a block is one more.
    pub allocations: f64,
    /// Bytes given out by those calls.
    pub bytes: f64,
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
        eprintln!("counting the instructions and allocations of {}", contestant.name);
        let [instructions] = per_event(CALLGRIND, instructions, contestant, setting)?;
        let [allocations, bytes] = per_event(MEMCHECK, heap, contestant, setting)?;
        counts.push(Count { contestant, instructions, allocations, bytes });
    }
    Ok(Ok(counts))
}

/// The figures that `read` finds in the words of a tool, for one event of `contestant`.
fn per_event<const N: usize>(
    tool: &[&str],
    read: fn(&str) -> Option<[u64; N]>,
    contestant: &Contestant,
    setting: &Setting,
) -> Result<[f64; N], Failure> {
    let total = |events| {
        let told = run(tool, contestant, &Setting { events, ..setting.clone() })?;
        read(&told).ok_or_else(|| Failure::from(format!("valgrind told no count: {}", told.trim())))
    };
    let (few, more) = (total(FEW)?, total(MORE)?);
    Ok(std::array::from_fn(|figure| (more[figure] as f64 - few[figure] as f64) / (MORE - FEW) as f64))
}

/// Runs a process with `contestant` alone under valgrind, and answers what valgrind tells.
fn run(tool: &[&str], contestant: &Contestant, setting: &Setting) -> Result<String, Failure> {
    let output = Command::new("valgrind")
        .args(tool)
        .arg(env::current_exe()?)
        .args(single::arguments(contestant, setting))
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("{} failed under valgrind: {}", contestant.name, told.trim()).into());
    }
    Ok(told)
}

/// The count in callgrind's line `==pid== Collected : count`.
fn instructions(told: &str) -> Option<[u64; 1]> {
    Some([number(line(told, "Collected")?)?])
}

/// Calls and bytes in memcheck's line `==pid==   total heap usage: 1,234 allocs, 1,200 frees, 5,678 bytes allocated`.
fn heap(told: &str) -> Option<[u64; 2]> {
    let (allocations, rest) = line(told, "total heap usage")?.split_once(" allocs, ")?;
    let (_, bytes) = rest.split_once(" frees, ")?;
    Some([number(allocations)?, number(bytes.strip_suffix(" bytes allocated")?)?])
}

/// What follows the colon in the line of `title`.
fn line<'a>(told: &'a str, title: &str) -> Option<&'a str> {
    Some(told.lines().find(|line| line.contains(title))?.rsplit_once(':')?.1)
}

fn number(text: &str) -> Option<u64> {
    text.trim().replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_are_found_among_what_valgrind_tells() {
        let told = "==7== Callgrind\n==7== Events    : Ir\n==7== Collected : 164350\n==7== \n";
        assert_eq!(instructions(told), Some([164_350]));
        assert_eq!(instructions("==7== nothing here"), None);

        let told = "==7== HEAP SUMMARY:\n==7==   total heap usage: 46,517 allocs, 46,450 frees, 4,650,754 bytes allocated\n";
        assert_eq!(heap(told), Some([46_517, 4_650_754]));
        assert_eq!(heap("==7== total heap usage: no"), None);
    }
}
