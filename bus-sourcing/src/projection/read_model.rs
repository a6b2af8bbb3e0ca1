//! The seam to the database of a read model: transactions, checkpoints, leases.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jitney_core::Id;

use super::{Build, BuildId, NewBuild, PassedEvent, Stopped};
use crate::{Error, Position};

/// A database that read models are kept in, with their checkpoints beside them.
///
/// What every read model promises:
///
/// - What is done on the [connection](ReadModelTransaction::connection) of a transaction and what is done by its other methods is
///   committed together or not at all.
/// - [`advance`](ReadModelTransaction::advance) moves a checkpoint only from where the caller thinks that it is, and only for
///   the last owner of the shard: two workers can never both move it.
/// - The two builds of a projection have places of their own, and the same statements work in each.
///
/// Errors are those of the database; they are retryable where the same call may succeed later. Dropping a future of any method
/// leaves what it does done or not done, never half done.
pub trait ReadModel: fmt::Debug + Clone + Send + Sync + 'static {
    /// The connection that a projection writes on.
    type Connection: Send;

    /// A transaction, which is rolled back when it is dropped.
    type Transaction: ReadModelTransaction<Connection = Self::Connection>;

    /// What it is and where, for messages; without credentials.
    fn describe(&self) -> String;

    /// The builds of a projection: the live one, where there is one, and then the next one, where there is one.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn builds(&self, projection: &str) -> impl Future<Output = Result<Vec<Build>, Error>> + Send;

    /// Begins to make a build: records it, with its shards at the start, in a transaction whose connection is in its empty
    /// place. It is paused where the live one is. None where the projection has a live build, and a live one is to be
    /// made, or a next one of this version or a higher one, and a next one is to be made.
    ///
    /// # Errors
    ///
    /// When the database does not answer; and of kind [`Config`](crate::ErrorKind::Config) when the place is taken by
    /// something else.
    fn begin_build(
        &self,
        build: &NewBuild,
    ) -> impl Future<Output = Result<Option<Self::Transaction>, Error>> + Send;

    /// Keeps the shards of `worker` for another `lease`, takes over some that nobody has, gives up what is beyond a fair share
    /// among the workers there are, and answers those that it has then. A shard that is taken over is in a new epoch, and has
    /// not stopped. None of a build that is not there any more, or is not in this state.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn lease(
        &self,
        build: &BuildId,
        worker: &str,
        lease: Duration,
    ) -> impl Future<Output = Result<Leased, Error>> + Send;

    /// Gives up all shards of `worker`, in all builds of the projection.
    ///
    /// # Errors
    ///
    /// When the database does not answer: they are free when the lease has passed.
    fn release(&self, projection: &str, worker: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// Begins a transaction in a build. A database that others wait in ends it when it hears nothing of it for a `lease`, so that
    /// a worker whose host has vanished does not keep its shard for longer.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn begin(
        &self,
        build: &BuildId,
        lease: Duration,
    ) -> impl Future<Output = Result<Self::Transaction, Error>> + Send;

    /// Records that the shard has stopped, where `lease` is still that of its owner. Of several stops, as of events of a bus that are
    /// tried at once, the first one stays, until the shard goes on.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn stop(
        &self,
        build: &BuildId,
        lease: &ShardLease,
        stopped: &Stopped,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Pauses the builds of a projection, or has them go on. Shards that have stopped try again when they go on.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn set_paused(&self, projection: &str, paused: bool) -> impl Future<Output = Result<(), Error>> + Send;

    /// Records that an event is to be passed where a shard of a build has stopped at it, and has it go on. Whether one has.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn skip(&self, projection: &str, event_id: &Id) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Whether an event is to be passed in this build.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn is_skipped(&self, build: &BuildId, event_id: &Id) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Events that were passed in the live build, the newest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn passed(
        &self,
        projection: &str,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<PassedEvent>, Error>> + Send;

    /// Removes what is left of builds whose place was taken, where something is. It waits for no reader for longer than a part of
    /// a second, since the worker that calls it has leases to keep.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or somebody still reads there. What is left does no harm, and is removed later.
    fn clean_up(&self, projection: &str) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = projection;
        async { Ok(()) }
    }

    /// Has what was deleted taken out of the database's own files, as far as it can be: called when a read model was made anew since
    /// somebody is forgotten.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or cannot do it now: retryable.
    fn overwrite_deleted(&self) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }
}

/// A transaction in a build of a read model.
pub trait ReadModelTransaction: Send {
    /// The connection that a projection writes on.
    type Connection: Send;

    /// The connection, in the place of the build.
    fn connection(&mut self) -> &mut Self::Connection;

    /// Moves the checkpoint of a shard, and records what was passed. False where the shard is not there, is another owner's,
    /// or is paused: then nothing is to be committed. To be called first, so that of two that try, one waits and gives up.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn advance(&mut self, step: &Step<'_>) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Locks the shards of both builds of the projection against everybody who would move them, and says where they are.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn lock(&mut self) -> impl Future<Output = Result<Vec<Build>, Error>> + Send;

    /// Lets this build, which is the next one, take the place of the live one. To be called behind [`lock`](Self::lock), and
    /// behind everything else. False where what is left of an earlier build has yet to be
    /// [removed](ReadModel::clean_up): then nothing is to be committed.
    ///
    /// # Errors
    ///
    /// When the database does not answer; and of kind [`Config`](crate::ErrorKind::Config) when a place is taken by something
    /// else.
    fn replace(&mut self) -> impl Future<Output = Result<bool, Error>> + Send;

    /// Commits it.
    ///
    /// # Errors
    ///
    /// Of kind [`Unknown`](crate::ErrorKind::Unknown) when it is not known whether it is committed.
    fn commit(self) -> impl Future<Output = Result<(), Error>> + Send;
}

/// One move of a checkpoint.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    /// The number of the shard.
    pub shard: u16,
    /// The epoch of its owner.
    pub epoch: u64,
    /// Where the owner thinks that it is.
    pub from: &'a Position,
    /// Where it goes.
    pub to: &'a Position,
    /// How many events are handled with it.
    pub handled: u64,
    /// When the last of them was recorded.
    pub last_time: Option<Timestamp>,
    /// An event that is passed with it without having been handled.
    pub passed: Option<&'a PassedEvent>,
}

/// What a worker has of a build.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Leased {
    /// Whether the build is paused.
    pub paused: bool,
    /// The shards.
    pub shards: Vec<ShardLease>,
}

/// A shard that a worker has.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardLease {
    /// The number of the shard.
    pub shard: u16,
    /// The epoch of its owner.
    pub epoch: u64,
    /// Where it is.
    pub position: Position,
    /// Why it has stopped, where it has.
    pub stopped: Option<Stopped>,
}
