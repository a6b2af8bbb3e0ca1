//! What was written to the lock folder, as people read it.

use std::fmt;
use std::path::PathBuf;

use similar::TextDiff;

use crate::problem::Problem;

/// A file of the lock folder that was written or removed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Change {
    /// The file.
    pub file: PathBuf,
    /// What it said and says, as a unified diff.
    pub difference: String,
    /// What was overruled; empty where the folder was written for the first time.
    pub accepted: Vec<Problem>,
}

impl Change {
    pub(super) fn new(file: PathBuf, before: &str, after: &str, accepted: Vec<Problem>) -> Self {
        let name = file.display().to_string();
        let header = |text: &str| if text.is_empty() { "/dev/null".to_owned() } else { name.clone() };
        let diff = TextDiff::from_lines(before, after);
        let difference = diff.unified_diff().header(&header(before), &header(after)).to_string();
        Change { file, difference, accepted }
    }
}

impl Change {
    /// Whether the file was not there before.
    pub fn is_new(&self) -> bool {
        self.difference.starts_with("--- /dev/null")
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.accepted {
            writeln!(f, "accepted: {problem}")?;
        }
        match self.is_new() {
            true => write!(f, "locked: {}", self.file.display()),
            false => f.write_str(&self.difference),
        }
    }
}
