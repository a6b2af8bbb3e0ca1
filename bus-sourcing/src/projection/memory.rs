//! Read models in memory: for tests, and the one that the others are compared with.

mod record;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jitney_core::{Env, Id};
use tokio::sync::OwnedMutexGuard;

use self::record::Record;
use super::{
    Build, BuildId, Leased, NewBuild, PassedEvent, PoisonEvent, ReadModel, ReadModelTransaction, ShardLease,
    Step,
};
use crate::Error;

/// Keeps the state `S` of each projection in this process; clones share them.
///
/// A projection is given the state itself as its [`Connection`](super::Projection::Connection): a copy of it, which takes the
/// place of the old one when the transaction is committed. Transactions come one after the other.
pub struct MemoryReadModel<S> {
    env: Env,
    records: Arc<Mutex<BTreeMap<String, Record<S>>>>,
    /// Whoever has it may write.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<S: Clone + Default + Send + Sync + 'static> MemoryReadModel<S> {
    /// A read model without projections.
    pub fn new() -> Self {
        MemoryReadModel::with_env(Env::system())
    }

    /// The same, whose leases go by the clock of `env`.
    pub fn with_env(env: Env) -> Self {
        MemoryReadModel { env, records: Arc::default(), turn: Arc::default() }
    }

    /// Looks at the state of a projection as it was last committed; none where it has no live build.
    pub fn read<T>(&self, projection: &str, look: impl FnOnce(&S) -> T) -> Option<T> {
        self.records().get(projection).and_then(|record| record.live_state()).map(look)
    }

    // A record is replaced whole.
    fn records(&self) -> MutexGuard<'_, BTreeMap<String, Record<S>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, projection: &str) -> Record<S> {
        self.records().get(projection).cloned().unwrap_or_default()
    }

    async fn transaction(&self, projection: &str, number: u64) -> MemoryTransaction<S> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let record = self.record(projection);
        let state = record.state(number).cloned().unwrap_or_default();
        let (model, projection) = (self.clone(), projection.to_owned());
        MemoryTransaction { model, projection, number, record, state, _turn: turn }
    }

    /// Changes a record while nobody else does.
    async fn change<T>(&self, projection: &str, change: impl FnOnce(&mut Record<S>) -> T) -> T {
        let _turn = self.turn.lock().await;
        change(self.records().entry(projection.to_owned()).or_default())
    }
}

impl<S: Clone + Default + Send + Sync + 'static> Default for MemoryReadModel<S> {
    fn default() -> Self {
        MemoryReadModel::new()
    }
}

impl<S> Clone for MemoryReadModel<S> {
    fn clone(&self) -> Self {
        let MemoryReadModel { env, records, turn } = self;
        MemoryReadModel { env: env.clone(), records: Arc::clone(records), turn: Arc::clone(turn) }
    }
}

impl<S> fmt::Debug for MemoryReadModel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReadModel").finish_non_exhaustive()
    }
}

impl<S: Clone + Default + Send + Sync + 'static> ReadModel for MemoryReadModel<S> {
    type Connection = S;
    type Transaction = MemoryTransaction<S>;

    fn describe(&self) -> String {
        "the read model in memory".to_owned()
    }

    async fn builds(&self, projection: &str) -> Result<Vec<Build>, Error> {
        Ok(self.record(projection).builds())
    }

    async fn begin_build(&self, build: &NewBuild) -> Result<Option<MemoryTransaction<S>>, Error> {
        let mut transaction = self.transaction(&build.projection, 0).await;
        Ok(transaction.record.add(build).map(|number| {
            transaction.number = number;
            transaction
        }))
    }

    async fn lease(&self, build: &BuildId, worker: &str, lease: Duration) -> Result<Leased, Error> {
        let now = self.env.instant();
        Ok(self.change(&build.projection, |record| record.lease(build, worker, now, lease)).await)
    }

    async fn release(&self, projection: &str, worker: &str) -> Result<(), Error> {
        self.change(projection, |record| record.release(worker)).await;
        Ok(())
    }

    async fn begin(&self, build: &BuildId, _lease: Duration) -> Result<MemoryTransaction<S>, Error> {
        Ok(self.transaction(&build.projection, build.number).await)
    }

    async fn stop(&self, build: &BuildId, lease: &ShardLease, event: &PoisonEvent) -> Result<(), Error> {
        self.change(&build.projection, |record| record.stop(build, lease, event)).await;
        Ok(())
    }

    async fn set_paused(&self, projection: &str, paused: bool) -> Result<(), Error> {
        self.change(projection, |record| record.set_paused(paused)).await;
        Ok(())
    }

    async fn skip(&self, projection: &str, event_id: &Id) -> Result<bool, Error> {
        Ok(self.change(projection, |record| record.skip(event_id)).await)
    }

    async fn is_skipped(&self, build: &BuildId, event_id: &Id) -> Result<bool, Error> {
        let passed = self.record(&build.projection).passed(build.number);
        Ok(passed.iter().any(|passed| passed.skipped && passed.event.event_id == *event_id))
    }

    async fn passed(&self, projection: &str, limit: usize) -> Result<Vec<PassedEvent>, Error> {
        let record = self.record(projection);
        Ok(record.passed(record.live_number()).into_iter().rev().take(limit).collect())
    }
}

/// A transaction of a [`MemoryReadModel`].
pub struct MemoryTransaction<S> {
    model: MemoryReadModel<S>,
    projection: String,
    number: u64,
    record: Record<S>,
    state: S,
    _turn: OwnedMutexGuard<()>,
}

impl<S> fmt::Debug for MemoryTransaction<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransaction").field("projection", &self.projection).finish_non_exhaustive()
    }
}

impl<S: Clone + Default + Send + Sync + 'static> ReadModelTransaction for MemoryTransaction<S> {
    type Connection = S;

    fn connection(&mut self) -> &mut S {
        &mut self.state
    }

    async fn advance(&mut self, step: &Step<'_>) -> Result<bool, Error> {
        Ok(self.record.advance(self.number, step))
    }

    async fn lock(&mut self) -> Result<Vec<Build>, Error> {
        Ok(self.record.builds())
    }

    async fn replace(&mut self) -> Result<bool, Error> {
        self.record.replace(self.number);
        Ok(true)
    }

    async fn commit(mut self) -> Result<(), Error> {
        self.record.set_state(self.number, self.state);
        self.model.records().insert(self.projection, self.record);
        Ok(())
    }
}
