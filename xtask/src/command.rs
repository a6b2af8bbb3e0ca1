//! A command line that can be printed as it would be typed, and started.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program with its arguments, its variables and the folder to run it in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CommandLine {
    program: &'static str,
    args: Vec<String>,
    variables: Vec<(&'static str, &'static str)>,
    folder: PathBuf,
}

impl CommandLine {
    /// `program` with the words of `args`, to run in `folder`.
    pub(crate) fn new(program: &'static str, args: &str, folder: &Path) -> Self {
        let args = args.split_whitespace().map(str::to_owned).collect();
        Self { program, args, variables: Vec::new(), folder: folder.to_owned() }
    }

    /// `cargo` with the words of `args`, to run in `folder`.
    pub(crate) fn cargo(args: &str, folder: &Path) -> Self {
        Self::new("cargo", args, folder)
    }

    /// The same with more arguments, taken as they are.
    pub(crate) fn with_args<I>(mut self, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The same with an environment variable set.
    pub(crate) fn with_variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// The program's name.
    pub(crate) fn program(&self) -> &'static str {
        self.program
    }

    /// A command ready to start, which reads nothing from standard input.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.args(&self.args).current_dir(&self.folder).stdin(Stdio::null());
        command.envs(self.variables.iter().copied());
        command
    }

    /// What the command prints to standard output, or `None` if it cannot run or fails.
    pub(crate) fn answer(&self) -> Option<String> {
        let output = self.command().stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Display for CommandLine {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(out, "{name}={} ", quoted(value))?;
        }
        out.write_str(self.program)?;
        for arg in &self.args {
            write!(out, " {}", quoted(arg))?;
        }
        Ok(())
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_it_would_be_typed() {
        let line = CommandLine::cargo("doc --no-deps", Path::new("."))
            .with_args(["two words"])
            .with_variable("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(line.to_string(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'two words'");
    }

    #[test]
    fn answers_with_the_output_of_a_program_that_succeeds() {
        let version = CommandLine::cargo("--version", Path::new(".")).answer();
        assert!(version.is_some_and(|text| text.starts_with("cargo ")));
    }

    #[test]
    fn answers_nothing_for_a_program_that_fails_or_is_absent() {
        assert_eq!(CommandLine::cargo("no-such-subcommand-here", Path::new(".")).answer(), None);
        assert_eq!(CommandLine::new("no-such-program-here", "", Path::new(".")).answer(), None);
    }
}
