//! What `cargo xtask test` prints at its end.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};
use std::time::Duration;

use crate::command::CommandLine;
use crate::tally::Tally;

/// How a step ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// It succeeded.
    Ok,
    /// It failed, as described.
    Failed(String),
    /// Tests in it failed, so many.
    TestsFailed(u64),
    /// It could not run here, for the reason given.
    Skipped(String),
    /// It was not asked for, for the reason given.
    LeftOut(String),
}

/// One step with its outcome.
#[derive(Debug)]
pub(crate) struct Row {
    /// The step's name.
    pub(crate) name: &'static str,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// How long it took.
    pub(crate) took: Duration,
    /// What it ran.
    pub(crate) line: CommandLine,
}

impl Row {
    fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(_) | Outcome::TestsFailed(_))
    }

    fn time(&self) -> String {
        match self.outcome {
            Outcome::Skipped(_) | Outcome::LeftOut(_) => "-".into(),
            _ => format!("{:.1} s", self.took.as_secs_f64()),
        }
    }
}

impl Display for Row {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let (result, note) = match &self.outcome {
            Outcome::Ok => ("ok", String::new()),
            Outcome::Failed(how) => ("FAILED", how.clone()),
            Outcome::TestsFailed(1) => ("FAILED", "1 test failed".into()),
            Outcome::TestsFailed(count) => ("FAILED", format!("{count} tests failed")),
            Outcome::Skipped(reason) => ("skipped", reason.clone()),
            Outcome::LeftOut(reason) => ("left out", reason.clone()),
        };
        let text = format!("{:<10}  {:<8}  {:>8}  {note}", self.name, result, self.time());
        out.write_str(text.trim_end())
    }
}

/// The steps of a run and the count of its tests.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The steps, in order.
    pub(crate) rows: Vec<Row>,
    /// The tests.
    pub(crate) tally: Tally,
}

impl Report {
    /// Failed tests, plus the steps that failed for another reason. A run with any of them failed.
    pub(crate) fn failed(&self) -> u64 {
        let steps = self.rows.iter().filter(|row| matches!(row.outcome, Outcome::Failed(_))).count();
        self.tally.failed() + steps as u64
    }

    /// Prints the table, the tests, what was skipped and what failed; the last line has the three counts.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{:<10}  {:<8}  {:>8}  note", "step", "result", "time")?;
        for row in &self.rows {
            writeln!(out, "{row}")?;
        }

        let tally = &self.tally;
        writeln!(
            out,
            "\ntests: {} ran ({} of them doc tests) in {} programs, {} skipped",
            tally.ran(),
            tally.doc_tests(),
            tally.runs(),
            tally.skipped()
        )?;
        for skip in tally.skips() {
            writeln!(out, "  skipped {}: {}", skip.name, skip.reason)?;
        }
        for test in tally.failures() {
            writeln!(out, "  FAILED test {test}")?;
        }
        for row in self.rows.iter().filter(|row| row.failed()) {
            writeln!(out, "  FAILED step {}; run it alone with: {}", row.name, row.line)?;
        }
        writeln!(out, "\n{} passed, {} failed, {} skipped", tally.passed(), self.failed(), tally.skipped())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::runner::Stream;

    fn row(name: &'static str, outcome: Outcome) -> Row {
        let line = CommandLine::cargo(name, Path::new("."));
        Row { name, outcome, took: Duration::from_millis(1234), line }
    }

    fn report(rows: Vec<Row>, lines: &str) -> Report {
        let mut report = Report { rows, tally: Tally::default() };
        for line in lines.lines() {
            report.tally.line(Stream::Out, line);
        }
        report
    }

    fn text(report: &Report) -> String {
        let mut text = Vec::new();
        report.print(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_good_run_ends_with_its_counts() {
        let rows = vec![
            row("fmt", Outcome::Ok),
            row("deny", Outcome::Skipped("not installed".into())),
            row("peers", Outcome::LeftOut("heavy".into())),
        ];
        let lines =
            "test slow ... ignored, an hour\ntest result: ok. 5 passed; 0 failed; 1 ignored; 0 measured";
        let report = report(rows, lines);
        assert_eq!(report.failed(), 0);
        assert_eq!(
            text(&report),
            "step        result        time  note\n\
             fmt         ok           1.2 s\n\
             deny        skipped          -  not installed\n\
             peers       left out         -  heavy\n\
             \n\
             tests: 5 ran (0 of them doc tests) in 1 programs, 1 skipped\n\
             \x20 skipped slow: an hour\n\
             \n\
             5 passed, 0 failed, 1 skipped\n"
        );
    }

    #[test]
    fn a_failed_step_counts_even_if_every_test_passed() {
        let rows = vec![row("clippy", Outcome::Failed("exit code 101".into())), row("test", Outcome::Ok)];
        let report = report(rows, "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured");
        let text = text(&report);
        assert!(text.contains("clippy      FAILED       1.2 s  exit code 101\n"), "{text}");
        assert!(text.contains("FAILED step clippy; run it alone with: cargo clippy\n"), "{text}");
        assert!(text.ends_with("\n5 passed, 1 failed, 0 skipped\n"), "{text}");
    }

    #[test]
    fn failed_tests_are_named_and_their_step_is_not_counted_again() {
        let rows = vec![row("test", Outcome::TestsFailed(1))];
        let lines = "test a::b ... FAILED\ntest result: FAILED. 5 passed; 1 failed; 0 ignored; 0 measured";
        let text = text(&report(rows, lines));
        assert!(text.contains("test        FAILED       1.2 s  1 test failed\n"), "{text}");
        assert!(text.contains("  FAILED test a::b\n"), "{text}");
        assert!(text.ends_with("\n5 passed, 1 failed, 0 skipped\n"), "{text}");
    }
}
