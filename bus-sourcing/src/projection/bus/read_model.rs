//! The seam to the database of a read model whose events come by a bus.

use super::Mark;
use crate::Error;
use crate::projection::{BuildId, ReadModel, ReadModelTransaction};

/// A read model that recognises events which come again, so that they may come by a bus.
///
/// Marks are kept for as long as the build is there: a topic that is read again from its start changes nothing.
pub trait BusReadModel: ReadModel<Transaction: BusTransaction> {
    /// Whether the event of `mark` is handled in a build, or passed.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    fn has_received(
        &self,
        build: &BuildId,
        mark: &Mark<'_>,
    ) -> impl Future<Output = Result<bool, Error>> + Send;
}

/// A transaction of such a read model.
pub trait BusTransaction: ReadModelTransaction {
    /// Marks an event as handled, in this transaction, and says whether it is to be. The place of the
    /// [connection](ReadModelTransaction::connection) is that of the build from here on. To be called first: of two that have the
    /// same event, or events of the same stream, one waits until the transaction of the other has ended.
    ///
    /// What is [`Overtaken`](Received::Overtaken) is marked only where `overtaken_too`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    ///
    /// # Cancellation
    ///
    /// The transaction is to be dropped with the future.
    fn receive(
        &mut self,
        mark: &Mark<'_>,
        overtaken_too: bool,
    ) -> impl Future<Output = Result<Received, Error>> + Send;
}

/// What an event is to a read model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Received {
    /// It was not handled before.
    New,
    /// It was handled before: nothing has changed.
    Repeated,
    /// It was not handled before, and a later one of its stream was.
    Overtaken,
    /// The build is paused, has stopped at an event, or is not the live one: nothing is to be committed.
    Closed,
}
