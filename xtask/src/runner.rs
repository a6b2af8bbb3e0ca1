//! Running a child: with the terminal handed over, or with each line seen on its way through.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::command::CommandLine;
use crate::error::Error;

/// Where a child wrote a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Whether a line that was seen is passed on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Echo {
    /// Pass the line on.
    Show,
    /// Keep the line back.
    Hide,
}

/// Runs `line` on this process's own output and waits for its end.
pub(crate) fn run(line: &CommandLine) -> Result<ExitStatus, Error> {
    line.command().status().map_err(|source| Error::Start { program: line.program().to_owned(), source })
}

/// Runs `line`, shows each line of its output to `see` as it comes, and passes it on if `see` says so.
pub(crate) fn stream(
    line: &CommandLine,
    mut see: impl FnMut(Stream, &str) -> Echo,
) -> Result<ExitStatus, Error> {
    let lost = |source| Error::Follow { program: line.program().to_owned(), source };
    let mut command = line.command();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if wants_colour() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child =
        command.spawn().map_err(|source| Error::Start { program: line.program().to_owned(), source })?;

    let (sender, lines) = channel();
    if let Some(pipe) = child.stdout.take() {
        forward(pipe, Stream::Out, sender.clone());
    }
    if let Some(pipe) = child.stderr.take() {
        forward(pipe, Stream::Err, sender.clone());
    }
    drop(sender);

    let mut printed = Ok(());
    for (from, text) in lines {
        let text = text.map_err(lost)?;
        if see(from, &text) == Echo::Show && printed.is_ok() {
            printed = print(from, &text);
        }
    }
    let status = child.wait().map_err(lost)?;
    printed.map_err(Error::Print)?;
    Ok(status)
}

/// How a child that did not succeed ended.
pub(crate) fn ending(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

fn forward(pipe: impl Read + Send + 'static, from: Stream, lines: Sender<(Stream, io::Result<String>)>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        loop {
            let mut bytes = Vec::new();
            let text = match reader.read_until(b'\n', &mut bytes) {
                Ok(0) => return,
                Ok(_) => Ok(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned()),
                Err(error) => Err(error),
            };
            let ended = text.is_err();
            if lines.send((from, text)).is_err() || ended {
                return;
            }
        }
    });
}

fn print(from: Stream, text: &str) -> io::Result<()> {
    match from {
        Stream::Out => writeln!(io::stdout(), "{text}"),
        Stream::Err => writeln!(io::stderr(), "{text}"),
    }
}

fn wants_colour() -> bool {
    let unset = |name| std::env::var_os(name).is_none();
    io::stderr().is_terminal() && unset("NO_COLOR") && unset("CARGO_TERM_COLOR")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_line_is_seen_with_its_stream_and_the_status_comes_back() {
        let mut seen = Vec::new();
        let line = CommandLine::cargo("--version", Path::new("."));
        let status = stream(&line, |from, text| {
            seen.push((from, text.to_owned()));
            Echo::Hide
        });
        assert!(status.unwrap().success());
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].0, Stream::Out);
        assert!(seen[0].1.starts_with("cargo "));
    }

    #[test]
    fn a_failure_is_a_status_and_its_words_are_on_standard_error() {
        let mut errors = 0;
        let line = CommandLine::cargo("no-such-subcommand-here", Path::new("."));
        let status = stream(&line, |from, _| {
            errors += usize::from(from == Stream::Err);
            Echo::Hide
        });
        assert_eq!(ending(status.unwrap()), "exit code 101");
        assert!(errors > 0);
    }

    #[test]
    fn a_program_that_is_absent_is_an_error() {
        let line = CommandLine::new("no-such-program-here", "", Path::new("."));
        let error = stream(&line, |_, _| Echo::Hide).unwrap_err().to_string();
        assert!(error.starts_with("could not start `no-such-program-here`: "), "{error}");
    }
}
