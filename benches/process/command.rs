//! The command line of a comparison: what it asks for, and doing it.

use std::process::ExitCode;
use std::str::FromStr;

use crate::contestant::{Contestant, Failure};
use crate::contestants::ALL;
use crate::measure::{self, Setting};
use crate::{counts, report, single};

const HELP: &str = "\
compares event buses, publish to handled, in one process

options:

  --rounds N        interleaved rounds (11)
  --events N        events a contestant handles in a round (200000)
  --window N        most events published and not yet handled (1024)
  --threads N       worker threads of the runtime; 1 is a current-thread runtime (1)
  --only NAME       one run of one contestant, its figures one a line
  --rates           only the rounds: events per second
  --counts          only instructions and allocations per event, under valgrind
  --list            the contestants' names
  --help            this text";

/// What the command line asks for.
#[derive(Debug)]
enum Task {
    All,
    Rates,
    Counts,
    Only(&'static Contestant),
    List,
    Help,
}

#[derive(Debug)]
struct Asked {
    task: Task,
    setting: Setting,
    rounds: usize,
}

/// Does what `arguments` ask for; without any, the rounds and the counts.
pub fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    match parse(arguments).and_then(|asked| perform(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn perform(Asked { task, setting, rounds }: &Asked) -> Result<(), Failure> {
    if let Task::All | Task::Rates = task {
        let measured = measure::rounds(setting, *rounds)?;
        println!("{}", report::rounds(&measured, setting, *rounds)?);
    }
    if let Task::All | Task::Counts = task {
        match counts::count(setting)? {
            Ok(counts) => print!("{}", report::counts(&counts)),
            Err(reason) => println!("instructions and allocations: not counted: {reason}"),
        }
    }
    match task {
        Task::All | Task::Rates | Task::Counts => {}
        Task::Only(contestant) => print!("{}", single::run(contestant, setting)?),
        Task::List => ALL.iter().for_each(|contestant| println!("{}", contestant.name)),
        Task::Help => println!("{HELP}"),
    }
    Ok(())
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Asked, Failure> {
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
                Task::Only(named(&name)?)
            }
            "--rates" => Task::Rates,
            "--counts" => Task::Counts,
            "--list" => Task::List,
            "--help" | "-h" => Task::Help,
            other => return Err(format!("'{other}' is not an option; --help lists them").into()),
        };
        if task.replace(asked).is_some() {
            return Err("one of --only, --rates, --counts, --list and --help at a time".into());
        }
    }
    Ok(Asked { task: task.unwrap_or(Task::All), setting, rounds })
}

/// The contestant of that name.
fn named(name: &str) -> Result<&'static Contestant, Failure> {
    ALL.iter().find(|contestant| contestant.name == name).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|contestant| contestant.name).collect();
        format!("no contestant is named '{name}': the names are {}", names.join(", ")).into()
    })
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

    fn parsed(line: &str) -> Result<Asked, Failure> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read_and_mistakes_are_named() {
        let Asked { task, setting, rounds } = parsed("--rounds 3 --events 5000 --threads 2").unwrap();
        assert!(matches!(task, Task::All) && rounds == 3);
        assert_eq!((setting.events, setting.window, setting.threads), (5_000, 1_024, 2));
        assert!(
            matches!(parsed("--only floor --events 10").unwrap().task, Task::Only(one) if one.name == "floor")
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
