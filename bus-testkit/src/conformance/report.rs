//! What a run of the suite found.

use std::collections::BTreeMap;
use std::fmt;

/// What one check holds transports to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promise {
    /// The name of the check.
    pub check: &'static str,
    /// The promise, in words.
    pub words: &'static str,
    /// The field of [`Capabilities`](jitney_core::Capabilities) that makes it; every backend makes it where there is none.
    pub capability: Option<&'static str>,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckResult {
    /// The name of the check.
    pub name: &'static str,
    /// What it holds the transport to, in words.
    pub promise: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was observed, by name; see [`answers`](super::answers).
    pub facts: BTreeMap<&'static str, String>,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The promise is kept.
    Passed,
    /// It is not, for this reason.
    Failed(String),
    /// The backend does not promise this, or the fixture cannot show it.
    Skipped(&'static str),
}

/// The results of a run, in the order of the checks; printed as a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Which backend, as its capabilities name it.
    pub backend: &'static str,
    /// One result for each check that was asked for.
    pub checks: Vec<CheckResult>,
}

impl Report {
    /// The names of the checks that failed.
    pub fn failed(&self) -> Vec<&'static str> {
        let failed = self.checks.iter().filter(|check| matches!(check.verdict, Verdict::Failed(_)));
        failed.map(|check| check.name).collect()
    }

    /// The checks that were skipped, each with the reason.
    pub fn skipped(&self) -> Vec<(&'static str, &'static str)> {
        let reason = |check: &CheckResult| match check.verdict {
            Verdict::Skipped(reason) => Some((check.name, reason)),
            _ => None,
        };
        self.checks.iter().filter_map(reason).collect()
    }

    /// Does nothing if no check failed.
    ///
    /// # Panics
    ///
    /// If a check failed, with this report as the message.
    pub fn assert_passed(&self) {
        assert!(self.failed().is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, failed, skipped) = (self.checks.len(), self.failed().len(), self.skipped().len());
        writeln!(f, "conformance of {}: {total} checks, {failed} failed, {skipped} skipped", self.backend)?;
        for check in &self.checks {
            match &check.verdict {
                Verdict::Passed => writeln!(f, "  passed   {}", check.name)?,
                Verdict::Skipped(reason) => writeln!(f, "  skipped  {}: {reason}", check.name)?,
                Verdict::Failed(reason) => {
                    let reason = reason.trim_end().replace('\n', "\n             ");
                    writeln!(f, "  FAILED   {}: {}\n             {reason}", check.name, check.promise)?;
                }
            }
        }
        Ok(())
    }
}

/// What a backend answered to one check, normalized so that two backends can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// `passed`, `skipped` or `failed`.
    pub verdict: &'static str,
    /// What was observed: counts, attempts, orders.
    pub facts: BTreeMap<&'static str, String>,
}

impl From<CheckResult> for Answer {
    fn from(check: CheckResult) -> Self {
        let verdict = match check.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "failed",
            Verdict::Skipped(_) => "skipped",
        };
        Answer { verdict, facts: check.facts }
    }
}
