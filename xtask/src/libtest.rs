//! The lines that Rust's test programs print, and Cargo around them.

use std::path::Path;

/// How one test ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict<'a> {
    /// `ok`.
    Passed,
    /// `FAILED`.
    Failed,
    /// `ignored`, with the reason.
    Ignored(&'a str),
}

/// The test and its verdict, of a `test NAME ... RESULT` line.
pub(crate) fn result(line: &str) -> Option<(&str, Verdict<'_>)> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let result = match result {
        "ok" => Verdict::Passed,
        "FAILED" => Verdict::Failed,
        "ignored" => Verdict::Ignored("marked to be ignored, no reason given"),
        _ => Verdict::Ignored(result.strip_prefix("ignored, ")?),
    };
    Some((name, result))
}

/// Whether a test of this name is an example in documentation, as in `src/lib.rs - Bus (line 7)`.
pub(crate) fn is_doc_test(name: &str) -> bool {
    name.contains(".rs - ") && name.contains("(line ")
}

/// The test whose output follows a `---- NAME stdout ----` line.
pub(crate) fn output_of(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----")
}

/// The name and the reason of a `skipped: NAME: REASON` line, which a test prints that cannot do its work.
pub(crate) fn skipped(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("skipped: ")?;
    Some(rest.split_once(": ").unwrap_or((rest, "no reason given")))
}

/// Whether `line` is the `running N tests` that opens the output of a test program.
pub(crate) fn is_start(line: &str) -> bool {
    let mut words = line.split(' ');
    words.next() == Some("running")
        && words.next().is_some_and(|count| count.parse::<u64>().is_ok())
        && matches!(words.next(), Some("test" | "tests"))
        && words.next().is_none()
}

/// The test program that a `Running ... (target/debug/deps/NAME-HASH)` line of Cargo announces.
pub(crate) fn program(line: &str) -> Option<&str> {
    let (_, path) = line.strip_prefix("Running ")?.strip_suffix(')')?.rsplit_once('(')?;
    let (name, hash) = Path::new(path).file_stem()?.to_str()?.rsplit_once('-')?;
    hash.chars().all(|c| c.is_ascii_hexdigit()).then_some(name)
}

/// The passed, failed and ignored counts of a `test result: ...` line.
pub(crate) fn counts(line: &str) -> Option<[u64; 3]> {
    let counts =
        line.strip_prefix("test result: ok. ").or_else(|| line.strip_prefix("test result: FAILED. "))?;
    let count = |label: &str| {
        counts.split(';').find_map(|part| part.trim().strip_suffix(label)?.trim_end().parse::<u64>().ok())
    };
    Some([count("passed")?, count("failed")?, count("ignored")?])
}

/// `line` without the escape sequences that colour a terminal.
pub(crate) fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            plain.push(c);
            continue;
        }
        match rest.next() {
            Some('[') => while rest.next().is_some_and(|c| !c.is_ascii_alphabetic()) {},
            Some('(') => drop(rest.next()),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_line_has_a_name_and_a_result() {
        assert_eq!(result("test a::b ... ok"), Some(("a::b", Verdict::Passed)));
        assert_eq!(result("test a - should panic ... FAILED"), Some(("a - should panic", Verdict::Failed)));
        assert_eq!(result("test a ... ignored, slow ... so"), Some(("a", Verdict::Ignored("slow ... so"))));
        assert_eq!(result("test a has been running for over 60 seconds"), None);
        assert_eq!(result("test a ... bench: 5 ns/iter"), None);
    }

    #[test]
    fn only_the_whole_opening_line_is_a_start() {
        assert!(is_start("running 0 tests") && is_start("running 1 test"));
        assert!(!is_start("running 2 tests at once") && !is_start("running all tests"));
    }

    #[test]
    fn a_program_is_known_by_its_file() {
        let unit = "Running unittests src/lib.rs (target/debug/deps/jitney_core-0f3a9c)";
        assert_eq!(program(unit), Some("jitney_core"));
        assert_eq!(program("Running tests/kafka.rs (/t/deps/kafka_faults-12ab)"), Some("kafka_faults"));
        assert_eq!(program("Running tests/kafka.rs"), None);
        assert_eq!(program("Running a test (of something-else)"), None);
        assert_eq!(program("Doc-tests jitney"), None);
    }

    #[test]
    fn a_result_line_has_three_counts_or_is_none() {
        let line =
            "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 9 filtered out; finished in 1s";
        assert_eq!(counts(line), Some([3, 2, 1]));
        assert_eq!(counts("test result: ok. 3 passed; many failed; 1 ignored"), None);
        assert_eq!(counts("test result: maybe"), None);
    }

    #[test]
    fn a_skip_names_what_and_why() {
        assert_eq!(
            skipped("skipped: kafka::opens: no broker: none"),
            Some(("kafka::opens", "no broker: none"))
        );
        assert_eq!(skipped("skipped: kafka"), Some(("kafka", "no reason given")));
        assert_eq!(skipped("it was skipped: a: b"), None);
    }

    #[test]
    fn colours_go_and_words_stay() {
        assert_eq!(without_colour("a \u{1b}[1;32mok\u{1b}(B\u{1b}[m b"), "a ok b");
    }
}
