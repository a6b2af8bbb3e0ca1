//! What happened in a run, and whether it was right.
//!
//! A [`Recorder`] writes down what is published, delivered and settled, and what disturbed it. The records of
//! several processes are merged into one [`History`], and [`History::check`] holds it against five properties: no
//! acked publish is lost, nothing is invented, order per key, no duplicate without a cause, settled means settled.
//!
//! ```
//! use std::time::Duration;
//! use jitney_core::Env;
//! use jitney_testkit::history::{Arrival, EventRef, Expectations, PublishOutcome, Property, Recorder, SettledAs};
//!
//! let recorder = Recorder::new("consumer-1", Env::system());
//! recorder.joined("billing", "a", &["orders"]);
//! for sequence in 1..=2 {
//!     recorder.published(&EventRef::new("orders", "42", sequence), PublishOutcome::Acked);
//! }
//! let first = Arrival { event: EventRef::new("orders", "42", 1), attempt: 1, partition: 0, position: None, epoch: 1, token: 1 };
//! recorder.delivered("billing", "a", first);
//! recorder.settled("billing", "a", (1, 1), SettledAs::Ack, true);
//!
//! let violations = recorder.history().check(&Expectations::default()).unwrap_err(); // the second never came
//! assert!(violations.names(Property::NoAckedPublishLost));
//! ```

mod causes;
mod check;
mod expectations;
mod index;
mod record;
mod recorder;
mod story;
mod summary;

pub use check::{Property, Violation, Violations};
pub use expectations::Expectations;
pub use record::{Arrival, EventRef, PublishOutcome, Record, SettledAs, What};
pub use recorder::Recorder;
pub use summary::Summary;

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The records of a run, of one recorder or merged from several.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    records: Vec<Record>,
}

impl History {
    /// A history without records.
    pub fn new() -> Self {
        History::default()
    }

    /// The records of a file that a recorder has written ([`Recorder::to_file`]). A last line that is not finished is
    /// left out: its process was killed while it wrote.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or a finished line is no record.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        let finished = text.rfind('\n').map_or("", |end| &text[..end]);
        finished.lines().map(|line| serde_json::from_str(line).map_err(io::Error::from)).collect()
    }

    /// The records, in the order in which they were added.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Holds the history against the five properties.
    ///
    /// # Errors
    ///
    /// What was violated, each with the records that show it; see [`Violations`].
    pub fn check(&self, expectations: &Expectations) -> Result<Summary, Box<Violations>> {
        check::check(&self.records, expectations)
    }
}

impl From<Vec<Record>> for History {
    fn from(records: Vec<Record>) -> Self {
        History { records }
    }
}

impl FromIterator<Record> for History {
    fn from_iter<I: IntoIterator<Item = Record>>(records: I) -> Self {
        History { records: records.into_iter().collect() }
    }
}

impl Extend<Record> for History {
    fn extend<I: IntoIterator<Item = Record>>(&mut self, records: I) {
        self.records.extend(records);
    }
}

impl IntoIterator for History {
    type Item = Record;
    type IntoIter = std::vec::IntoIter<Record>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.into_iter()
    }
}
