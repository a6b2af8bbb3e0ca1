//! What a store of processes is.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use jitney_core::Id;
use jitney_core::personal::Sealer;

use super::{
    DueDeadlines, ListProcesses, Loaded, ParkedInput, PendingDeadline, ProcessCommit, ProcessCounts,
    ProcessInfo, ProcessStep, StoredProcess,
};
use crate::{Error, Position};

/// Keeps processes, their deadlines, and what they send until it is published.
///
/// `process` is the name of a process manager everywhere. Times come from the caller, who has a clock that tests can move. All
/// calls fail when the store does not answer.
#[async_trait]
pub trait ProcessStore: fmt::Debug + Send + Sync + 'static {
    /// What it is and where, for messages; without credentials.
    fn describe(&self) -> String;

    /// What seals the personal data of processes, where the store was given something. A runner seals what it stores, and opens
    /// what it reads; the store keeps texts as they are.
    fn sealer(&self) -> Option<&dyn Sealer> {
        None
    }

    /// The processes of `inputs`, each the key of a process and the id of an event, and which of the inputs were handled.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn load(&self, process: &str, inputs: &[(String, Id)]) -> Result<Loaded, Error>;

    /// Stores all of `commit` or nothing: processes, steps, deadlines, messages, inputs that are put aside, and the checkpoint.
    ///
    /// # Errors
    ///
    /// Of kind [`Conflict`](crate::ErrorKind::Conflict) when a process does not have the version that was expected, when a step
    /// was made before, or when the checkpoint is elsewhere or has another owner. Of kind
    /// [`Unknown`](crate::ErrorKind::Unknown) when it is not known whether it is stored: the marks of the steps tell.
    /// In all other cases nothing is stored.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is stored, all of it or nothing.
    async fn commit(&self, commit: ProcessCommit) -> Result<(), Error>;

    /// Up to `limit` deadlines that are due at `now` and that nobody has claimed. They are the caller's until `until`, so that
    /// several callers do not get in each other's way; it is [`commit`](Self::commit) that has each fire once.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future may leave deadlines claimed until `until`.
    async fn claim_due(
        &self,
        process: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<DueDeadlines, Error>;

    /// The deadlines of the process `key` that are set, by their time.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn deadlines(&self, process: &str, key: &str) -> Result<Vec<PendingDeadline>, Error>;

    /// Makes `owner` the one that follows the event store until `until`, where nobody else is at `now`. Answers where the
    /// checkpoint is, or nothing where somebody else follows.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future may leave it claimed until `until`.
    async fn claim_feed(
        &self,
        process: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Position>, Error>;

    /// Ends what [`claim_feed`](Self::claim_feed) began, where it is still `owner`'s.
    ///
    /// # Errors
    ///
    /// When the store does not answer: others then wait until the claim ends by itself.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it has ended.
    async fn release_feed(&self, process: &str, owner: &str) -> Result<(), Error>;

    /// Where the checkpoint is.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn checkpoint(&self, process: &str) -> Result<Position, Error>;

    /// The process `key`, open or completed.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn get(&self, process: &str, key: &str) -> Result<Option<StoredProcess>, Error>;

    /// The steps of the process `key`, the oldest first.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn steps(&self, process: &str, key: &str) -> Result<Vec<ProcessStep>, Error>;

    /// Open processes.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn list(&self, process: &str, list: &ListProcesses) -> Result<Vec<ProcessInfo>, Error>;

    /// How the process manager is doing at `now`.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn counts(&self, process: &str, now: Timestamp) -> Result<ProcessCounts, Error>;

    /// Removes up to `limit` processes that were completed before `before`, with their steps, and says how many. An input of such
    /// a process that comes again is one of a process that is not there.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether they are removed.
    async fn remove_completed(&self, process: &str, before: Timestamp, limit: usize) -> Result<u64, Error>;

    /// Names `input`, which is to be put aside when it is met. What is there about it already stays as it is.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is stored.
    async fn name_parked(&self, process: &str, input: &ParkedInput) -> Result<(), Error>;

    /// What is known about the input `event_id`, where it was put aside or named.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn parked_input(&self, process: &str, event_id: &Id) -> Result<Option<ParkedInput>, Error>;

    /// Up to `limit` inputs that were put aside, the oldest first.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn parked(&self, process: &str, limit: usize) -> Result<Vec<ParkedInput>, Error>;

    /// Forgets that `event_id` was put aside.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is forgotten.
    async fn unpark(&self, process: &str, event_id: &Id) -> Result<(), Error>;
}
