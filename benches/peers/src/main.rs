//! Compares event buses by what it takes from a publish to its handler, in one process.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml
//! ```
//!
//! Every contestant publishes the same typed events (an order of about 400 bytes as JSON, a
//! thousand keys) to one async handler that folds a checksum. They run interleaved, so that a
//! change of the machine's mood falls on all of them, each on a tokio runtime of its own and all on
//! the same kind: one current thread, or `--threads 2`. A run in which any event was not handled
//! exactly once is an error, not a number.
//!
//! How to add a contestant is told in `contestant.rs`.

mod allocations;
mod body;
mod contestant;
mod envelope;
mod floor;
mod floor_payload;
mod instructions;
mod jitney;
mod measure;
mod report;
mod ruststream_envelope;
mod ruststream_memory;
mod single;
mod tally;

use std::process::ExitCode;
use std::str::FromStr;

use contestant::{Contestant, Failure};
use measure::Setting;

const HELP: &str = "\
compares event buses, publish to handled, in one process

usage: jitney-peers [options]

  --rounds N        interleaved rounds (11)
  --events N        events a contestant handles in a round (200000)
  --window N        most events published and not yet handled (1024)
  --threads N       worker threads of the runtime; 1 is a current-thread runtime (1)
  --only NAME       one run of one contestant, its figures one a line
  --instructions    instructions per event, under valgrind, instead of the rounds
  --list            the contestants' names
  --help            this text";

/// What the command line asks for.
#[derive(Debug)]
enum Task {
    Rounds { rounds: usize },
    Instructions,
    Only(&'static Contestant),
    List,
    Help,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|(task, setting)| perform(&task, &setting)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task, setting: &Setting) -> Result<(), Failure> {
    match task {
        Task::Rounds { rounds } => {
            let measured = measure::rounds(setting, *rounds)?;
            print!("{}", report::rounds(&measured, setting, *rounds)?);
        }
        Task::Instructions => match instructions::count(setting)? {
            Ok(counts) => print!("{}", report::instructions(&counts)),
            Err(reason) => println!("instructions were not counted: {reason}"),
        },
        Task::Only(contestant) => print!("{}", single::run(contestant, setting)?),
        Task::List => contestant::ALL.iter().for_each(|contestant| println!("{}", contestant.name)),
        Task::Help => println!("{HELP}"),
    }
    Ok(())
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<(Task, Setting), Failure> {
    let mut setting = Setting { events: 200_000, window: 1_024, threads: 1 };
    let mut rounds = 11;
    let mut task = None;
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let asked = match argument.as_str() {
            "--rounds" => {
                rounds = number(&argument, arguments.next())?;
                continue;
            }
            "--events" => {
                setting.events = number(&argument, arguments.next())?;
                continue;
            }
            "--window" => {
                setting.window = number(&argument, arguments.next())?;
                continue;
            }
            "--threads" => {
                setting.threads = number(&argument, arguments.next())?;
                continue;
            }
            "--only" => {
                let name = arguments.next().ok_or("--only needs the name of a contestant")?;
                Task::Only(Contestant::named(&name)?)
            }
            "--instructions" => Task::Instructions,
            "--list" => Task::List,
            "--help" | "-h" => Task::Help,
            other => return Err(format!("'{other}' is not an option; --help lists them").into()),
        };
        if task.replace(asked).is_some() {
            return Err("one of --only, --instructions, --list and --help at a time".into());
        }
    }
    Ok((task.unwrap_or(Task::Rounds { rounds }), setting))
}

/// A count of at least one.
fn number<N: FromStr + PartialOrd + From<u8>>(option: &str, value: Option<String>) -> Result<N, Failure> {
    let value = value.ok_or_else(|| format!("{option} needs a number"))?;
    match value.parse() {
        Ok(number) if number >= N::from(1) => Ok(number),
        _ => Err(format!("{option} needs a number of at least one, not '{value}'").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<(Task, Setting), Failure> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read_and_mistakes_are_named() {
        let (task, setting) = parsed("--rounds 3 --events 5000 --threads 2").unwrap();
        assert!(matches!(task, Task::Rounds { rounds: 3 }));
        assert_eq!((setting.events, setting.window, setting.threads), (5_000, 1_024, 2));
        assert!(
            matches!(parsed("--only floor --events 10").unwrap().0, Task::Only(one) if one.name == "floor")
        );

        for (line, told) in [
            ("--rounds", "--rounds needs a number"),
            ("--events 0", "--events needs a number of at least one, not '0'"),
            ("--only nobody", "no contestant is named 'nobody'"),
            ("--quick", "'--quick' is not an option"),
            ("--list --help", "at a time"),
        ] {
            let failure = parsed(line).unwrap_err().to_string();
            assert!(failure.contains(told), "{line}: {failure}");
        }
    }
}
