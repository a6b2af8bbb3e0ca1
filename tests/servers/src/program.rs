//! Programs that are run to their end: their answer, or an error that says what they printed.

use std::process::{Command, Output, Stdio};

use crate::error::Error;

const LAST_LINES: usize = 15;

/// Runs `command` and gives back its standard output.
pub(crate) fn run(command: &mut Command) -> Result<String, Error> {
    let output = command.stdin(Stdio::null()).output();
    finished(command, output)
}

/// Starts all of `commands` at once and waits for the end of each.
pub(crate) fn run_all(commands: Vec<Command>) -> Result<(), Error> {
    let started: Vec<_> = commands
        .into_iter()
        .map(|mut command| {
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let child = command.spawn();
            (command, child)
        })
        .collect();
    let ended: Vec<_> = started
        .into_iter()
        .map(|(command, child)| finished(&command, child.and_then(|child| child.wait_with_output())))
        .collect();
    ended.into_iter().try_for_each(|result| result.map(drop))
}

/// What `program` prints to standard output, or `None` if it cannot run or fails.
pub(crate) fn answer(program: &str, args: &[&str]) -> Option<String> {
    run(Command::new(program).args(args)).ok()
}

/// `command` as it would be typed, without quotes.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn finished(command: &Command, output: std::io::Result<Output>) -> Result<String, Error> {
    let output = output.map_err(|error| Error::Program { command: line(command), how: error.to_string() })?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let all = printed + &String::from_utf8_lossy(&output.stderr);
    let how = format!("{}: {}", output.status, last_lines(&all));
    Err(Error::Program { command: line(command), how })
}

/// The end of a program's output, for an error.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_was_run_and_what_it_printed() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let error = run(&mut command).unwrap_err().to_string();
        assert_eq!(error, "`sh -c echo out; echo err >&2; exit 3` failed: exit status: 3: out\nerr");
    }

    #[test]
    fn all_end_even_if_one_fails() {
        let make = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let folder = crate::place::tests::empty("run-all");
        let file = folder.join("second");
        let error = run_all(vec![make("exit 1"), make(&format!("echo done > {}", file.display()))]);
        assert!(error.is_err());
        assert_eq!(std::fs::read_to_string(file).unwrap(), "done\n");
    }

    #[test]
    fn a_program_that_is_absent_answers_nothing() {
        assert_eq!(answer("no-such-program-here", &[]), None);
    }
}
