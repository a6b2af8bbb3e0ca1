//! What a store of processes keeps, and what it is asked.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use jiff::Timestamp;
use jitney_core::outbox::OutboxEvent;
use jitney_core::personal::Shown;
use jitney_core::{Id, Metadata};

use super::{Cause, ParkedInput};
use crate::{Error, ErrorKind, Position};

/// A process as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredProcess {
    /// Its key.
    pub key: String,
    /// How many steps it has made; 0 before the first.
    pub version: u64,
    /// The version of the state's type.
    pub state_version: u32,
    /// The state, as JSON text.
    pub state: String,
    /// The compensations that it keeps, as a JSON array, the oldest first.
    pub compensations: String,
    /// Whether it has ended.
    pub completed: bool,
    /// When its first step was made.
    pub started_at: Timestamp,
    /// When its last step was made.
    pub updated_at: Timestamp,
}

/// A step that a process has made: the mark by which an input is known again, and the history for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStep {
    /// The id of the event, or one that follows from the deadline.
    pub id: Id,
    /// The event type, or the deadline as JSON text.
    pub what: String,
    /// When it was made.
    pub at: Timestamp,
}

/// A deadline that is set.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingDeadline {
    /// The key of its process.
    pub key: String,
    /// The deadline, as JSON text.
    pub deadline: String,
    /// When it fires.
    pub at: Timestamp,
    /// What has set it.
    pub cause: Cause,
}

/// What is known of some inputs before they are handled.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The processes that are there.
    pub processes: Vec<StoredProcess>,
    /// The inputs that were handled, by the key of the process and the id of the event.
    pub handled: HashSet<(String, Id)>,
}

/// The steps of one process in a [`ProcessCommit`].
#[derive(Debug, Clone)]
pub struct ProcessChange {
    /// The version that the process must have; 0 where it must not be there.
    pub expected: u64,
    /// What it is then.
    pub process: StoredProcess,
    /// The steps, in their order.
    pub steps: Vec<ProcessStep>,
    /// By their JSON text, the deadlines that are set, and those that are taken back or have fired.
    pub deadlines: BTreeMap<String, Option<PendingDeadline>>,
}

/// What a store keeps in one transaction.
#[derive(Debug, Clone)]
pub struct ProcessCommit {
    /// The name of the process manager.
    pub process: &'static str,
    /// One for each process. Of one that has ended, all deadlines are removed.
    pub changes: Vec<ProcessChange>,
    /// What goes to the outbox, in this order.
    pub messages: Vec<OutboxEvent>,
    /// Inputs that are put aside.
    pub parked: Vec<ParkedInput>,
    /// How far the event store was followed with this.
    pub checkpoint: Option<CheckpointMove>,
}

impl ProcessCommit {
    /// The error of a commit that met something else than it expected, as `what` says; for authors of stores.
    pub fn conflict(&self, what: &str) -> Error {
        let what =
            format!("storing steps of `{}`: {what}; load it again and make the step anew", self.process);
        Error::new(ErrorKind::Conflict, what)
    }

    /// The error of a commit whose process `key` has made another step; for authors of stores.
    pub fn moved(&self, key: &str) -> Error {
        self.conflict(&format!("process `{key}` has made another step"))
    }

    /// The error of a commit whose checkpoint is elsewhere or somebody else's; for authors of stores.
    pub fn overtaken(&self) -> Error {
        self.conflict("another runner follows the event store")
    }
}

/// A checkpoint that moves, where it is as its owner thinks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointMove {
    /// Who follows the event store.
    pub owner: String,
    /// Where the checkpoint must be.
    pub from: Position,
    /// Where it is then.
    pub to: Position,
}

/// Deadlines that are due.
#[derive(Debug, Clone, Default)]
pub struct DueDeadlines {
    /// Those that were claimed, the oldest first.
    pub claimed: Vec<PendingDeadline>,
    /// When the next one is due that nobody has claimed; one that is due by now where there were more than were asked for.
    pub next: Option<Timestamp>,
}

/// Which processes to list: the open ones, by their keys in the order of their bytes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListProcesses {
    /// Only keys behind this one.
    pub after: Option<String>,
    /// Only those that have made no step since: the ones that may be stuck.
    pub idle_since: Option<Timestamp>,
    /// No more than so many.
    pub limit: usize,
}

impl Default for ListProcesses {
    fn default() -> Self {
        ListProcesses { after: None, idle_since: None, limit: 1_000 }
    }
}

impl ListProcesses {
    /// The first 1,000 that are open.
    pub fn open() -> Self {
        ListProcesses::default()
    }

    /// Only keys behind `key`: the last one of the page before.
    #[must_use]
    pub fn after(mut self, key: impl Into<String>) -> Self {
        self.after = Some(key.into());
        self
    }

    /// Only those that have made no step since `time`.
    #[must_use]
    pub fn idle_since(mut self, time: Timestamp) -> Self {
        self.idle_since = Some(time);
        self
    }

    /// No more than `limit`.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// About a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Its key.
    pub key: String,
    /// How many steps it has made.
    pub version: u64,
    /// When its first step was made.
    pub started_at: Timestamp,
    /// When its last step was made.
    pub updated_at: Timestamp,
    /// When its next deadline fires; one without may wait for ever.
    pub next_deadline: Option<Timestamp>,
}

/// How a process manager is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessCounts {
    /// Processes that are open.
    pub open: u64,
    /// Deadlines that should have fired by now.
    pub overdue: u64,
    /// When the oldest of these should have.
    pub overdue_since: Option<Timestamp>,
    /// Inputs that were put aside.
    pub parked: u64,
}

impl PendingDeadline {
    /// The id of the step that it makes when it fires: the same, however often it is tried.
    pub fn step_id(&self, process: &str) -> Id {
        let PendingDeadline { key, deadline, at, cause } = self;
        cause.id.derive(&format!("process {process} {key} {deadline} {}", at.as_millisecond()), 0)
    }

    /// The metadata of its cause as JSON text, for a column.
    ///
    /// # Errors
    ///
    /// As [`Metadata::to_json`].
    pub fn metadata_json(&self) -> Result<String, serde_json::Error> {
        let json = self.cause.metadata.to_json()?;
        // Written by a serializer of JSON.
        Ok(String::from_utf8_lossy(&json).into_owned())
    }

    /// Reads what [`metadata_json`](Self::metadata_json) wrote.
    ///
    /// # Errors
    ///
    /// As [`Metadata::from_json`].
    pub fn cause_from(id: &str, metadata: &str) -> Result<Cause, serde_json::Error> {
        Ok(Cause { id: Id::from(id), metadata: Metadata::from_json(metadata.as_bytes())? })
    }
}

impl fmt::Debug for StoredProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StoredProcess {
            key,
            version,
            state_version,
            state,
            compensations,
            completed,
            started_at,
            updated_at,
        } = self;
        f.debug_struct("StoredProcess")
            .field("key", key)
            .field("version", version)
            .field("state_version", state_version)
            .field("state", &Shown(state.as_bytes()))
            .field("compensations", &Shown(compensations.as_bytes()))
            .field("completed", completed)
            .field("started_at", started_at)
            .field("updated_at", updated_at)
            .finish()
    }
}
