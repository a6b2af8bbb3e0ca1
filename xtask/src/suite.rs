//! Running the steps of `cargo xtask test` one after the other.

use std::io::{self, Write};
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

use crate::brokers::{self, Broker};
use crate::command::CommandLine;
use crate::error::Error;
use crate::report::{Outcome, Report, Row};
use crate::runner;
use crate::servers::Servers;
use crate::steps::{self, Gate, Scope, Step, Tools};
use crate::tally::Tally;

/// Runs every step of `scope`, then prints the report.
pub(crate) fn run(root: &Path, scope: Scope) -> Result<ExitCode, Error> {
    let mut report = Report::default();
    let mut servers = Servers::default();
    for step in steps::plan(root, scope, Tools::find(root)) {
        headline(&format!("{}: {}", step.name, step.line))?;
        let start = now();
        let outcome = take(&step, &mut report.tally, &mut servers);
        let took = now().duration_since(start);
        let row = Row { name: step.name, outcome, took, line: step.line };
        say(&format!("{row}"))?;
        report.rows.push(row);
    }
    headline("summary")?;
    report.print(&mut io::stdout()).map_err(Error::Print)?;
    Ok(if report.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn take(step: &Step, tally: &mut Tally, servers: &mut Servers) -> Outcome {
    match &step.gate {
        Gate::Open => outcome(runner::run(&step.line)),
        Gate::Servers(wanted) => match servers.start(wanted) {
            Ok(()) => Outcome::Ok,
            Err(error) => Outcome::Failed(error.to_string()),
        },
        Gate::OpenForTests(brokers) => tested(&step.line, tally, brokers),
        Gate::After(first, reason) => match runner::run(first) {
            Ok(status) if status.success() => outcome(runner::run(&step.line)),
            Ok(_) => Outcome::Skipped(reason.clone()),
            Err(error) => Outcome::Failed(error.to_string()),
        },
        Gate::Skipped(reason) => Outcome::Skipped(reason.clone()),
        Gate::LeftOut(reason) => Outcome::LeftOut(reason.clone()),
    }
}

fn tested(line: &CommandLine, tally: &mut Tally, brokers: &[Broker]) -> Outcome {
    let outcome = outcome(runner::stream(line, |from, text| tally.line(from, text)));
    match (outcome, tally.failed(), tally.ran()) {
        (Outcome::Failed(_), failed, _) | (Outcome::Ok, failed, _) if failed > 0 => {
            Outcome::TestsFailed(failed)
        }
        (Outcome::Ok, _, 0) => Outcome::Failed("no test ran".into()),
        (Outcome::Ok, _, _) => brokers::unproven(brokers, tally).map_or(Outcome::Ok, Outcome::Failed),
        (outcome, _, _) => outcome,
    }
}

fn outcome(ran: Result<ExitStatus, Error>) -> Outcome {
    match ran {
        Ok(status) if status.success() => Outcome::Ok,
        Ok(status) => Outcome::Failed(runner::ending(status)),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn headline(text: &str) -> Result<(), Error> {
    say(&format!("\n==> {text}"))
}

fn say(text: &str) -> Result<(), Error> {
    writeln!(io::stdout(), "{text}").map_err(Error::Print)
}

#[expect(clippy::disallowed_methods, reason = "the length of a step is wall time and steers nothing")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(program: &'static str, gate: Gate) -> Outcome {
        let step = Step { name: "step", line: line(program), gate };
        take(&step, &mut Tally::default(), &mut Servers::default())
    }

    fn line(program: &'static str) -> CommandLine {
        CommandLine::new(program, "", Path::new("."))
    }

    #[test]
    fn a_step_whose_program_is_absent_fails_and_says_so() {
        let failed = taken("no-such-program-here", Gate::Open);
        let Outcome::Failed(how) = failed else { panic!("not failed: {failed:?}") };
        assert!(how.starts_with("could not start `no-such-program-here`: "), "{how}");
    }

    #[cfg(unix)]
    #[test]
    fn a_step_is_ok_or_failed_by_its_exit_code() {
        assert_eq!(taken("true", Gate::Open), Outcome::Ok);
        assert_eq!(taken("false", Gate::Open), Outcome::Failed("exit code 1".into()));
    }

    #[cfg(unix)]
    #[test]
    fn a_step_behind_a_command_that_fails_is_skipped() {
        let gate = |program| Gate::After(line(program), "reason".into());
        assert_eq!(taken("true", gate("true")), Outcome::Ok);
        assert_eq!(taken("true", gate("false")), Outcome::Skipped("reason".into()));
    }

    #[cfg(unix)]
    #[test]
    fn tests_of_which_none_ran_fail() {
        let failed = taken("true", Gate::OpenForTests(&[]));
        assert_eq!(failed, Outcome::Failed("no test ran".into()));
    }

    #[cfg(unix)]
    #[test]
    fn a_test_run_that_breaks_off_fails_by_its_exit_code() {
        let failed = taken("false", Gate::OpenForTests(&[]));
        assert_eq!(failed, Outcome::Failed("exit code 1".into()));
    }
}
