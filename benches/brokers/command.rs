//! The command line of the bench.

use std::process::ExitCode;

use crate::broker::Broker;
use crate::contestant::{Contestant, Failure};
use crate::{measure, report};

/// What to measure.
pub struct Setting {
    pub events: u64,
    pub rounds: usize,
    pub produce: bool,
    pub consume: bool,
}

const HELP: &str =
    "options: --events N, --rounds N (11), --produce, --consume (only that), --only NAME (one contestant)";

/// Runs what `arguments` say.
pub fn run(arguments: &[String], contestants: &[&'static Contestant]) -> ExitCode {
    exit(try_run(arguments, contestants))
}

/// What a process ends with.
pub fn exit(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(arguments: &[String], contestants: &[&'static Contestant]) -> Result<(), Failure> {
    let mut contestants = contestants.to_vec();
    let mut setting = Setting { events: Broker::EVENTS, rounds: 11, produce: true, consume: true };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).ok_or(HELP);
        match &**word {
            "--events" => setting.events = number()?.max(1),
            "--rounds" => setting.rounds = usize::try_from(number()?.max(1))?,
            "--produce" => setting.consume = false,
            "--consume" => setting.produce = false,
            "--only" => {
                let name = words.next().ok_or(HELP)?;
                contestants.retain(|one| one.name == name);
                if contestants.is_empty() {
                    return Err(HELP.into());
                }
            }
            _ => return Err(HELP.into()),
        }
    }
    report::print(&setting, &measure::measure(&setting, &contestants)?);
    Ok(())
}
