//! Processes in memory, for tests.

mod shelf;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use jitney_core::Id;
use jitney_core::outbox::MemoryOutbox;
use jitney_core::personal::Sealer;

use self::shelf::Shelf;
use super::{
    DueDeadlines, ListProcesses, Loaded, ParkedInput, PendingDeadline, ProcessCommit, ProcessCounts,
    ProcessInfo, ProcessStep, ProcessStore, StoredProcess,
};
use crate::{Error, ErrorKind, Position, Sealing};

/// Keeps processes in this program; clones share them. What they send is in [`outbox`](Self::outbox).
///
/// ```
/// use jitney_sourcing::process::{MemoryProcessStore, ProcessStore};
///
/// assert_eq!(MemoryProcessStore::new().describe(), "the processes in memory");
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryProcessStore {
    shelves: Arc<Mutex<HashMap<String, Shelf>>>,
    outbox: MemoryOutbox,
    sealing: Sealing,
}

impl MemoryProcessStore {
    /// No processes.
    pub fn new() -> Self {
        MemoryProcessStore::default()
    }

    /// Has `sealer` seal the personal data of states and of what is sent by the runners of this clone.
    #[must_use]
    pub fn sealed_by(mut self, sealer: impl Sealer) -> Self {
        self.sealing = Sealing::by(sealer);
        self
    }

    /// What processes have sent, for a [`Relay`](jitney_core::outbox::Relay).
    pub fn outbox(&self) -> &MemoryOutbox {
        &self.outbox
    }

    // What can fail or panic comes before the first change.
    fn shelves(&self) -> MutexGuard<'_, HashMap<String, Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn on<T>(&self, process: &str, work: impl FnOnce(&mut Shelf) -> T) -> T {
        work(self.shelves().entry(process.to_owned()).or_default())
    }
}

#[async_trait]
impl ProcessStore for MemoryProcessStore {
    fn describe(&self) -> String {
        "the processes in memory".to_owned()
    }

    fn sealer(&self) -> Option<&dyn Sealer> {
        self.sealing.sealer()
    }

    async fn load(&self, process: &str, inputs: &[(String, Id)]) -> Result<Loaded, Error> {
        Ok(self.on(process, |shelf| shelf.load(inputs)))
    }

    async fn commit(&self, commit: ProcessCommit) -> Result<(), Error> {
        self.on(commit.process, |shelf| {
            shelf.check(&commit)?;
            let failed =
                |error| Error::new(ErrorKind::Encode, "sending what a process wants").with_source(error);
            self.outbox.add_all(commit.messages).map_err(failed)?;
            shelf.store(commit.changes, commit.parked, commit.checkpoint);
            Ok(())
        })
    }

    async fn claim_due(
        &self,
        process: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<DueDeadlines, Error> {
        Ok(self.on(process, |shelf| shelf.claim_due(now, until, limit)))
    }

    async fn deadlines(&self, process: &str, key: &str) -> Result<Vec<PendingDeadline>, Error> {
        Ok(self.on(process, |shelf| shelf.deadlines_of(key)))
    }

    async fn claim_feed(
        &self,
        process: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Position>, Error> {
        Ok(self.on(process, |shelf| shelf.claim_feed(owner, now, until)))
    }

    async fn release_feed(&self, process: &str, owner: &str) -> Result<(), Error> {
        self.on(process, |shelf| shelf.release_feed(owner));
        Ok(())
    }

    async fn checkpoint(&self, process: &str) -> Result<Position, Error> {
        Ok(self.on(process, |shelf| shelf.position.clone()))
    }

    async fn get(&self, process: &str, key: &str) -> Result<Option<StoredProcess>, Error> {
        Ok(self.on(process, |shelf| shelf.processes.get(key).map(|entry| entry.process.clone())))
    }

    async fn steps(&self, process: &str, key: &str) -> Result<Vec<ProcessStep>, Error> {
        Ok(self.on(process, |shelf| {
            shelf.processes.get(key).map(|entry| entry.steps.clone()).unwrap_or_default()
        }))
    }

    async fn list(&self, process: &str, list: &ListProcesses) -> Result<Vec<ProcessInfo>, Error> {
        Ok(self.on(process, |shelf| shelf.list(list)))
    }

    async fn counts(&self, process: &str, now: Timestamp) -> Result<ProcessCounts, Error> {
        Ok(self.on(process, |shelf| shelf.counts(now)))
    }

    async fn remove_completed(&self, process: &str, before: Timestamp, limit: usize) -> Result<u64, Error> {
        Ok(self.on(process, |shelf| shelf.remove_completed(before, limit)))
    }

    async fn name_parked(&self, process: &str, input: &ParkedInput) -> Result<(), Error> {
        self.on(process, |shelf| shelf.name_parked(input));
        Ok(())
    }

    async fn parked_input(&self, process: &str, event_id: &Id) -> Result<Option<ParkedInput>, Error> {
        Ok(self.on(process, |shelf| shelf.parked.get(event_id).cloned()))
    }

    async fn parked(&self, process: &str, limit: usize) -> Result<Vec<ParkedInput>, Error> {
        Ok(self.on(process, |shelf| shelf.parked_inputs(limit)))
    }

    async fn unpark(&self, process: &str, event_id: &Id) -> Result<(), Error> {
        self.on(process, |shelf| drop(shelf.parked.remove(event_id)));
        Ok(())
    }
}
