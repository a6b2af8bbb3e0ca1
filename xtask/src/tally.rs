//! Counting tests from the output of `cargo test -- --show-output`, line by line.
//!
//! The output of tests that passed is asked for because a test that cannot do its work, say for want of a
//! broker, prints `skipped: NAME: REASON` and returns. Such a test is counted as skipped, not as passed. The
//! rest of that output is kept back, so that a run reads as without `--show-output`.

use std::collections::BTreeSet;

use crate::libtest;
use crate::runner::{Echo, Stream};

/// A test that did not run, or not in full.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Skip {
    /// The test, or the part of it that was skipped.
    pub(crate) name: String,
    /// Why.
    pub(crate) reason: String,
}

/// What the tests of a run came to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    reported_passed: u64,
    failed: u64,
    ignored: u64,
    doc_tests: u64,
    /// How many tests each program reported as passed, in the order of the output.
    runs: Vec<u64>,
    /// The programs that Cargo announced, in their order: those with documentation's examples come last and unnamed.
    programs: Vec<String>,
    skips: Vec<Skip>,
    failures: Vec<String>,
    /// Tests that said so themselves, with the number of the run that they are in where it is known.
    skipped_themselves: BTreeSet<(Option<usize>, String)>,
    section: Section,
    test: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Section {
    /// Test names and their results.
    #[default]
    Results,
    /// The output of tests that passed, then their names.
    Successes,
    /// The output of tests that failed, then their names.
    Failures,
}

impl Tally {
    /// Takes one line of the output into account.
    pub(crate) fn line(&mut self, from: Stream, line: &str) -> Echo {
        let plain = libtest::without_colour(line);
        match from {
            Stream::Out => self.output_line(plain.trim()),
            Stream::Err => {
                self.programs.extend(libtest::program(plain.trim()).map(str::to_owned));
                self.note_skip(plain.trim());
                Echo::Show
            }
        }
    }

    /// Tests that ran to their end and passed.
    pub(crate) fn passed(&self) -> u64 {
        self.reported_passed.saturating_sub(self.skipped_themselves.len() as u64)
    }

    /// Tests that failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed
    }

    /// Tests that were ignored or skipped themselves.
    pub(crate) fn skipped(&self) -> u64 {
        self.ignored + self.skipped_themselves.len() as u64
    }

    /// Tests that ran: those that passed and those that failed.
    pub(crate) fn ran(&self) -> u64 {
        self.passed() + self.failed
    }

    /// Tests among those that ran that are examples in documentation.
    pub(crate) fn doc_tests(&self) -> u64 {
        self.doc_tests
    }

    /// Test programs that reported a result.
    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// How many tests passed and how many skipped themselves in the test program `name`, or `None` if it did not
    /// report a result.
    pub(crate) fn program(&self, name: &str) -> Option<(u64, u64)> {
        // Two pipes keep no order between each other, but each its own.
        let run = self.programs.iter().position(|program| program == name)?;
        let reported = *self.runs.get(run)?;
        let skipped = self.skipped_themselves.iter().filter(|(known, _)| *known == Some(run)).count() as u64;
        Some((reported.saturating_sub(skipped), skipped))
    }

    /// What was skipped and why, in the order of the output.
    pub(crate) fn skips(&self) -> &[Skip] {
        &self.skips
    }

    /// The names of the tests that failed, in the order of the output.
    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    fn output_line(&mut self, line: &str) -> Echo {
        if let Some([passed, failed, ignored]) = libtest::counts(line) {
            self.reported_passed += passed;
            self.failed += failed;
            self.ignored += ignored;
            self.runs.push(passed);
            self.enter(Section::Results);
            return Echo::Show;
        }
        match line {
            "successes:" => self.enter(Section::Successes),
            "failures:" => self.enter(Section::Failures),
            _ if libtest::is_start(line) => self.enter(Section::Results),
            _ => return self.other_line(line),
        }
        if self.section == Section::Successes { Echo::Hide } else { Echo::Show }
    }

    fn other_line(&mut self, line: &str) -> Echo {
        match self.section {
            Section::Results => {
                if !self.note_skip(line) {
                    self.test_line(line);
                }
                Echo::Show
            }
            Section::Successes => {
                if let Some(test) = libtest::output_of(line) {
                    self.test = Some(test.to_owned());
                    return Echo::Hide;
                }
                if self.note_skip(line) { Echo::Show } else { Echo::Hide }
            }
            Section::Failures => Echo::Show,
        }
    }

    fn test_line(&mut self, line: &str) {
        let Some((name, result)) = libtest::result(line) else { return };
        match result {
            libtest::Verdict::Ignored(reason) => {
                self.skips.push(Skip { name: name.to_owned(), reason: reason.to_owned() });
                return;
            }
            libtest::Verdict::Failed => self.failures.push(name.to_owned()),
            libtest::Verdict::Passed => {}
        }
        if libtest::is_doc_test(name) {
            self.doc_tests += 1;
        }
    }

    fn note_skip(&mut self, line: &str) -> bool {
        let Some((name, reason)) = libtest::skipped(line) else { return false };
        let key = match &self.test {
            Some(test) => (Some(self.runs.len()), test.clone()),
            None => (None, name.to_owned()),
        };
        self.skipped_themselves.insert(key);
        let skip = Skip { name: name.to_owned(), reason: reason.to_owned() };
        if !self.skips.contains(&skip) {
            self.skips.push(skip);
        }
        true
    }

    fn enter(&mut self, section: Section) {
        self.section = section;
        self.test = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> (Tally, String) {
        let mut tally = Tally::default();
        let mut shown = String::new();
        for line in lines.lines() {
            if tally.line(Stream::Out, line) == Echo::Show {
                shown.push_str(line);
                shown.push('\n');
            }
        }
        (tally, shown)
    }

    fn skip(name: &str, reason: &str) -> Skip {
        Skip { name: name.into(), reason: reason.into() }
    }

    const RESULT: &str = "; 0 measured; 0 filtered out; finished in 0.00s";

    #[test]
    fn results_add_up_over_test_programs() {
        let (tally, _) = read(&format!(
            "running 3 tests\ntest a ... ok\ntest b ... ok\ntest c ... FAILED\n\nfailures:\n\n\
             ---- c stdout ----\nskipped: c: not really, it failed\n\nfailures:\n    c\n\n\
             test result: FAILED. 2 passed; 1 failed; 0 ignored{RESULT}\n\
             running 1 test\ntest d ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored{RESULT}\n"
        ));
        assert_eq!((tally.passed(), tally.failed(), tally.skipped()), (3, 1, 0));
        assert_eq!((tally.ran(), tally.runs()), (4, 2));
        assert_eq!(tally.failures(), ["c"]);
        assert_eq!(tally.skips(), []);
    }

    #[test]
    fn ignored_tests_are_named_with_their_reason() {
        let (tally, _) = read(&format!(
            "test slow ... ignored, takes an hour\ntest src/lib.rs - Bus (line 7) ... ignored\n\
             test result: ok. 0 passed; 0 failed; 2 ignored{RESULT}\n"
        ));
        assert_eq!((tally.ran(), tally.skipped(), tally.doc_tests()), (0, 2, 0));
        assert_eq!(
            tally.skips(),
            [
                skip("slow", "takes an hour"),
                skip("src/lib.rs - Bus (line 7)", "marked to be ignored, no reason given")
            ]
        );
    }

    #[test]
    fn a_test_that_skips_itself_counts_once_and_not_as_passed() {
        let (tally, shown) = read(&format!(
            "running 2 tests\ntest a ... ok\ntest t::b ... ok\n\nsuccesses:\n\n---- a stdout ----\nnoise\n\n\
             ---- t::b stdout ----\nskipped: t::b one: no broker\nskipped: t::b two: no broker: at all\n\n\n\
             successes:\n    a\n    t::b\n\ntest result: ok. 2 passed; 0 failed; 0 ignored{RESULT}\n"
        ));
        assert_eq!((tally.passed(), tally.failed(), tally.skipped()), (1, 0, 1));
        assert_eq!(tally.skips(), [skip("t::b one", "no broker"), skip("t::b two", "no broker: at all")]);
        assert!(shown.contains("skipped: t::b one: no broker\n"), "{shown}");
        assert!(!shown.contains("noise") && !shown.contains("    a\n"), "{shown}");
    }

    #[test]
    fn tests_of_one_name_in_two_programs_are_two_skips() {
        let program = format!(
            "running 1 test\ntest b ... ok\n\nsuccesses:\n\n---- b stdout ----\nskipped: b: no broker\n\n\n\
             successes:\n    b\n\ntest result: ok. 1 passed; 0 failed; 0 ignored{RESULT}\n"
        );
        let (tally, _) = read(&program.repeat(2));
        assert_eq!((tally.passed(), tally.skipped(), tally.runs()), (0, 2, 2));
        assert_eq!(tally.skips(), [skip("b", "no broker")]);
    }

    #[test]
    fn a_program_has_the_result_that_came_in_its_place() {
        let mut tally = Tally::default();
        // All of one pipe before the other, as it may happen.
        for line in ["   Compiling jitney", "     Running tests/a.rs (target/debug/deps/a-01)"] {
            tally.line(Stream::Err, line);
        }
        tally.line(Stream::Err, "     Running tests/kafka.rs (target/debug/deps/kafka-02)");
        tally.line(Stream::Err, "     Running tests/late.rs (target/debug/deps/late-03)");
        let lines = format!(
            "running 3 tests\ntest result: ok. 3 passed; 0 failed; 0 ignored{RESULT}\nrunning 2 tests\n\
             successes:\n---- b stdout ----\nskipped: b: given\n\nsuccesses:\n    b\n\n\
             test result: ok. 2 passed; 0 failed; 0 ignored{RESULT}"
        );
        for line in lines.lines() {
            tally.line(Stream::Out, line);
        }
        assert_eq!(tally.program("a"), Some((3, 0)));
        assert_eq!(tally.program("kafka"), Some((1, 1)));
        assert_eq!(tally.program("late"), None);
        assert_eq!(tally.program("never"), None);
    }

    #[test]
    fn a_skip_on_standard_error_counts_once_and_other_lines_there_do_not() {
        let mut tally = Tally::default();
        tally.line(Stream::Err, "skipped: b: no broker");
        tally.line(Stream::Err, "skipped: b: no broker");
        tally.line(Stream::Err, "test tests/ui/a.rs ... FAILED");
        tally.line(Stream::Out, &format!("test result: ok. 2 passed; 0 failed; 0 ignored{RESULT}"));
        assert_eq!((tally.passed(), tally.failed(), tally.skipped()), (1, 0, 1));
        assert_eq!(tally.failures().len(), 0);
    }

    #[test]
    fn doc_tests_are_told_from_others() {
        let (tally, _) = read(
            "test bus-core/src/lib.rs - (line 3) ... ok\ntest src/bus.rs - Bus::open (line 9) - compile fail ... ok\n\
             test unit::line ... ok\n",
        );
        assert_eq!(tally.doc_tests(), 2);
    }

    #[test]
    fn a_test_program_that_dies_does_not_hide_the_next_one() {
        let (tally, shown) = read("successes:\n    a\nrunning 1 test\ntest b ... FAILED\n");
        assert_eq!(shown, "running 1 test\ntest b ... FAILED\n");
        assert_eq!(tally.failures(), ["b"]);
    }

    #[test]
    fn colours_do_not_matter() {
        let (tally, _) = read(
            "test \u{1b}[1mx\u{1b}[0m ... \u{1b}[33mignored\u{1b}(B\u{1b}[m\n\
             test result: \u{1b}[32mok\u{1b}(B\u{1b}[m. 4 passed; 0 failed; 1 ignored; 0 measured\n",
        );
        assert_eq!((tally.passed(), tally.skipped()), (4, 1));
        assert_eq!(tally.skips()[0].name, "x");
    }
}
