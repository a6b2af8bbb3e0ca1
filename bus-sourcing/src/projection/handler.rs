//! What an application writes: which events a read model is for, and what they change in it.

use std::fmt;
use std::sync::Arc;

use jitney_core::event::EventType;
use jitney_core::handler::HandlerError;

use crate::{Filter, StoredEvent};

/// A read model and how it follows from events.
///
/// Its tables belong to it alone: it can be [built anew](crate::Projector::rebuild) beside the old ones at any time, and takes
/// their place when it has caught up. So [`apply`](Self::apply) does nothing outside of its transaction; what is to be done
/// once, and not again in a rebuild, belongs into [`after_commit`](Self::after_commit), or is asked about with
/// [`Projecting::is_live`].
pub trait Projection: Send + Sync + 'static {
    /// The connection that the transaction is open on, as the [read model](crate::ReadModel) has it: `PgConnection`,
    /// `SqliteConnection`, or the state itself in a [`MemoryReadModel`](crate::MemoryReadModel).
    type Connection: Send;

    /// Its name, which its checkpoints are stored under, and its place in the database is called: 1 to 50 small letters,
    /// digits and `_`, the first no digit, without `__next` or `__old` at its end. Never changes.
    fn name(&self) -> &str;

    /// Raised when [`prepare`](Self::prepare) or [`apply`](Self::apply) make another read model of the same events: the
    /// projector then builds the new one beside the old one, and lets it take its place when it has caught up. From 1.
    fn version(&self) -> u32 {
        1
    }

    /// The events that it is for.
    fn filter(&self) -> Filter;

    /// The same as types, those before an upcast among them: what it subscribes to where its events
    /// [come by a bus](crate::projection::BusProjector). To be written for those; a projection that follows a store needs none.
    fn event_types(&self) -> Vec<&'static EventType> {
        Vec::new()
    }

    /// Makes its tables, in an empty place of their own. In the transaction that records the new build.
    ///
    /// # Errors
    ///
    /// Nothing is made then.
    ///
    /// # Cancellation
    ///
    /// The transaction is rolled back when the future is dropped.
    fn prepare(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        let _ = connection;
        async { Ok(()) }
    }

    /// Changes the read model as `event` says. What it has written is committed together with the checkpoint, or not at all.
    ///
    /// # Errors
    ///
    /// A permanent error stops the projection at the event, or parks it, as the projector is
    /// [told](crate::Projector::on_failure); another one, and a panic, does so when a number of attempts have failed. Everything of
    /// the transaction is rolled back.
    ///
    /// # Cancellation
    ///
    /// The transaction is rolled back when the future is dropped.
    fn apply(
        &self,
        event: &StoredEvent,
        at: &mut Projecting<'_, Self::Connection>,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;

    /// The same for several events at once, in their order, in one transaction: to be written for read models that are filled
    /// by statements for many rows. Each in turn unless written.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply). The projector then tries parts of the batch, to find the event that it is about.
    ///
    /// # Cancellation
    ///
    /// As [`apply`](Self::apply).
    fn apply_batch(
        &self,
        events: &[StoredEvent],
        at: &mut Projecting<'_, Self::Connection>,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        async move {
            for event in events {
                self.apply(event, at).await?;
            }
            Ok(())
        }
    }

    /// Told of `events` behind the commit of what they have changed. Not in a rebuild, and not of events that were there before
    /// the projection first was: to wake somebody, to warm a cache. A crash behind the commit leaves it out; what must not be
    /// left out goes into an outbox, in [`apply`](Self::apply).
    ///
    /// # Cancellation
    ///
    /// It is dropped with its projector.
    fn after_commit(&self, events: &[StoredEvent]) -> impl Future<Output = ()> + Send {
        let _ = events;
        async {}
    }
}

/// Where a projection is applied: a transaction of its read model.
pub struct Projecting<'a, C> {
    connection: &'a mut C,
    live: bool,
}

impl<'a, C> Projecting<'a, C> {
    /// In the transaction that is open on `connection`. `live` says whether what is done is done for the first time.
    pub fn new(connection: &'a mut C, live: bool) -> Self {
        Projecting { connection, live }
    }

    /// The connection that the transaction is open on.
    pub fn connection(&mut self) -> &mut C {
        self.connection
    }

    /// Whether this is what readers see, and what happens now: false in a rebuild, and for events that were there before the
    /// projection first was. What is sent from the transaction (by an outbox in it) is sent only where this is true.
    pub fn is_live(&self) -> bool {
        self.live
    }
}

impl<C> fmt::Debug for Projecting<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projecting").field("live", &self.live).finish_non_exhaustive()
    }
}

/// One that is shared.
impl<P: Projection> Projection for Arc<P> {
    type Connection = P::Connection;

    fn name(&self) -> &str {
        P::name(self)
    }

    fn version(&self) -> u32 {
        P::version(self)
    }

    fn filter(&self) -> Filter {
        P::filter(self)
    }

    fn prepare(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        P::prepare(self, connection)
    }

    fn apply(
        &self,
        event: &StoredEvent,
        at: &mut Projecting<'_, Self::Connection>,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        P::apply(self, event, at)
    }

    fn apply_batch(
        &self,
        events: &[StoredEvent],
        at: &mut Projecting<'_, Self::Connection>,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send {
        P::apply_batch(self, events, at)
    }

    fn after_commit(&self, events: &[StoredEvent]) -> impl Future<Output = ()> + Send {
        P::after_commit(self, events)
    }
}
