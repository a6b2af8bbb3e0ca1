//! Given these events, then this is in the read model.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use jitney_core::handler::HandlerError;
//! use jitney_derive::DomainEvent;
//! use jitney_sourcing::{Filter, Projecting, Projection, StoredEvent};
//! use jitney_testkit::project;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize, DomainEvent)]
//! #[event(aggregate = "Account", crate = "jitney_core")]
//! enum AccountEvent { Deposited { cents: u64 } }
//!
//! struct Balances;
//!
//! impl Projection for Balances {
//!     type Connection = BTreeMap<String, u64>;
//!
//!     fn name(&self) -> &str { "balances" }
//!     fn filter(&self) -> Filter { Filter::of::<AccountEvent>() }
//!
//!     async fn apply(
//!         &self,
//!         event: &StoredEvent,
//!         at: &mut Projecting<'_, Self::Connection>,
//!     ) -> Result<(), HandlerError> {
//!         let AccountEvent::Deposited { cents } = event.decode().map_err(HandlerError::permanent)?;
//!         *at.connection().entry(event.head().aggregate_id.to_string()).or_default() += cents;
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! project(Balances)
//!     .await
//!     .given("a-1", [AccountEvent::Deposited { cents: 5 }, AccountEvent::Deposited { cents: 2 }])
//!     .await
//!     .given("a-2", [AccountEvent::Deposited { cents: 1 }])
//!     .await
//!     .then_is(&BTreeMap::from([("a-1".to_owned(), 7), ("a-2".to_owned(), 1)]));
//! # });
//! ```
//!
//! Events go through the JSON that a store keeps, and those that the projection's filter is not for are left out, as they are in
//! a store. The read model is the projection's [`Connection`](Projection::Connection): a state in memory, or whatever is
//! given to [`project_in`], such as a connection to a database of the test.

use std::collections::HashMap;
use std::fmt;

use jitney_core::event::DomainEvent;
use jitney_core::handler::HandlerError;
use jitney_core::{Env, error_chain};
use jitney_sourcing::{NewEvent, Position, Projecting, Projection, StoredEvent, StreamId};

use crate::scenario::diff;

/// `projection`, whose read model is empty and in memory.
///
/// # Panics
///
/// When the projection cannot make its tables.
///
/// # Cancellation
///
/// Nothing is left when the future is dropped.
pub async fn project<P>(projection: P) -> Projected<P>
where
    P: Projection<Connection: Default>,
{
    project_in(projection, P::Connection::default()).await
}

/// `projection`, whose read model is empty and on `connection`.
///
/// # Panics
///
/// When the projection cannot make its tables.
///
/// # Cancellation
///
/// What is made of the tables is left on the connection.
pub async fn project_in<P: Projection>(projection: P, mut connection: P::Connection) -> Projected<P> {
    if let Err(error) = projection.prepare(&mut connection).await {
        let (name, error) = (projection.name(), error_chain(error.source_error()));
        panic!("projection `{name}` cannot make its tables: {error}");
    }
    Projected { projection, connection, env: Env::seeded(0), sequences: HashMap::new(), position: 0 }
}

/// A projection that some events were applied to.
#[must_use = "the test is in `then(…)` or `then_is(…)`"]
pub struct Projected<P: Projection> {
    projection: P,
    connection: P::Connection,
    env: Env,
    sequences: HashMap<StreamId, u64>,
    position: u64,
}

impl<P: Projection> Projected<P> {
    /// Applies `events`, which happen to the aggregate `aggregate_id` behind what has happened to it, as they are where they
    /// happen now.
    ///
    /// # Panics
    ///
    /// When the projection refuses one of them.
    ///
    /// # Cancellation
    ///
    /// The test ends with it.
    pub async fn given<E: DomainEvent>(
        mut self,
        aggregate_id: &str,
        events: impl IntoIterator<Item = E>,
    ) -> Self {
        for event in events {
            let event = self.stored(aggregate_id, &event);
            if let Err(error) = self.apply(&event).await {
                let (name, error) = (self.projection.name(), error_chain(error.source_error()));
                let (sequence, stream) = (event.sequence(), event.stream());
                let event_type = &event.head().event_type;
                panic!(
                    "projection `{name}` refuses event {sequence} of stream {stream} (`{event_type}`): {error}"
                );
            }
        }
        self
    }

    /// Applies `event`, which the projection is to refuse, and gives what it says. What it has written before that is left
    /// there, where a projector would roll it back.
    ///
    /// # Panics
    ///
    /// When the projection does not refuse it.
    ///
    /// # Cancellation
    ///
    /// The test ends with it.
    pub async fn refuses<E: DomainEvent>(mut self, aggregate_id: &str, event: E) -> HandlerError {
        let event = self.stored(aggregate_id, &event);
        match self.apply(&event).await {
            Err(error) => error,
            Ok(()) => panic!(
                "projection `{}` does not refuse `{}`",
                self.projection.name(),
                event.head().event_type
            ),
        }
    }

    /// Looks at the read model.
    pub fn then(self, look: impl FnOnce(&P::Connection)) -> Self {
        look(&self.connection);
        self
    }

    /// Then the read model is `expected`.
    ///
    /// # Panics
    ///
    /// When it is another one, with the difference.
    #[track_caller]
    pub fn then_is(self, expected: &P::Connection) -> Self
    where
        P::Connection: fmt::Debug + PartialEq,
    {
        let text = |model: &P::Connection| format!("{model:#?}\n");
        assert!(
            *expected == self.connection,
            "the read model is another one (- expected, + found)\n{}",
            diff(&text(expected), &text(&self.connection))
        );
        self
    }

    /// The read model, for whatever else is to be looked at.
    pub fn into_read_model(self) -> P::Connection {
        self.connection
    }

    fn stored<E: DomainEvent>(&mut self, aggregate_id: &str, event: &E) -> StoredEvent {
        let new = NewEvent::new(self.env.new_id(), self.env.now(), event);
        let new = new.unwrap_or_else(|error| panic!("{}", error_chain(&error)));
        let stream = StreamId::new(event.event_type().aggregate(), aggregate_id);
        let sequence = self.sequences.entry(stream.clone()).or_default();
        *sequence += 1;
        self.position += 1;
        new.into_stored(&stream, *sequence, Position::at([self.position]))
    }

    async fn apply(&mut self, event: &StoredEvent) -> Result<(), HandlerError> {
        let head = event.head();
        if !self.projection.filter().is_for(&head.aggregate_type, &head.event_type) {
            return Ok(());
        }
        self.projection.apply(event, &mut Projecting::new(&mut self.connection, true)).await
    }
}

impl<P: Projection> fmt::Debug for Projected<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projected").field("projection", &self.projection.name()).finish_non_exhaustive()
    }
}
