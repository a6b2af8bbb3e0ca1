//! Aggregates in the style of load, raise, save.

use std::fmt;
use std::ops::Deref;

use jitney_core::{Env, Id, Metadata};

use crate::{Aggregate, Error, Events, NewEvent, StreamId};

/// An aggregate that was loaded, with the events that it has raised since; dereferences to the state.
///
/// Methods of the aggregate look at the state and return events, which [`raise`](Self::raise) takes:
///
/// ```
/// # use jitney_derive::DomainEvent;
/// # use jitney_sourcing::{Aggregate, Events, MemoryStore, Repository};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Serialize, Deserialize, DomainEvent)]
/// # #[event(aggregate = "Account", crate = "jitney_core")]
/// # enum AccountEvent { Deposited { cents: u64 }, Withdrawn { cents: u64 } }
/// # #[derive(Debug)]
/// # struct Overdrawn;
/// # impl std::fmt::Display for Overdrawn {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("overdrawn") }
/// # }
/// # impl std::error::Error for Overdrawn {}
/// # #[derive(Default)]
/// # struct Account { cents: u64 }
/// # impl Aggregate for Account {
/// #     type Event = AccountEvent;
/// #     type Command = ();
/// #     type Error = Overdrawn;
/// #     fn decide(&self, _: ()) -> Result<Events<AccountEvent>, Overdrawn> { Ok(Events::none()) }
/// #     fn evolve(&mut self, event: &AccountEvent) {
/// #         match event {
/// #             AccountEvent::Deposited { cents } => self.cents += cents,
/// #             AccountEvent::Withdrawn { cents } => self.cents -= cents,
/// #         }
/// #     }
/// # }
/// impl Account {
///     fn withdraw(&self, cents: u64) -> Result<AccountEvent, Overdrawn> {
///         if cents > self.cents { Err(Overdrawn) } else { Ok(AccountEvent::Withdrawn { cents }) }
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let accounts = Repository::<Account>::new(MemoryStore::new());
/// let mut account = accounts.load("a-1").await?;
/// account.raise(AccountEvent::Deposited { cents: 100 })?;
/// account.raise(account.withdraw(30)?)?;
/// assert_eq!((account.cents, account.uncommitted().len()), (70, 2));
/// accounts.save(&mut account).await?;
/// assert_eq!((account.sequence(), account.uncommitted().len()), (2, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct AggregateRoot<A: Aggregate> {
    env: Env,
    stream: StreamId,
    state: A,
    /// Of the last event in the store that is in the state.
    sequence: u64,
    metadata: Metadata,
    /// Whose events the next ones are, where their ids follow from it.
    command_id: Option<Id>,
    uncommitted: Vec<NewEvent>,
    pub(crate) snapshot: Loaded,
}

/// What a load has learned that the next snapshot depends on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loaded {
    /// The sequence that the last snapshot was made at; 0 where there is none.
    pub(crate) snapshot_sequence: u64,
    /// When the last snapshot was made; where there is none, when the first event was recorded.
    pub(crate) since: Option<jiff::Timestamp>,
}

impl<A: Aggregate> AggregateRoot<A> {
    /// `state`, which the first `sequence` events of `stream` have led to.
    pub(crate) fn new(env: Env, stream: StreamId, state: A, sequence: u64, snapshot: Loaded) -> Self {
        let (metadata, command_id, uncommitted) = (Metadata::default(), None, Vec::new());
        AggregateRoot { env, stream, state, sequence, metadata, command_id, uncommitted, snapshot }
    }

    /// The id of the aggregate.
    pub fn id(&self) -> &str {
        self.stream.aggregate_id()
    }

    /// The stream of the aggregate.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// The state, with what was raised.
    pub fn state(&self) -> &A {
        &self.state
    }

    /// The sequence of the last event that the store has; 0 where it has none.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether nothing has ever happened to it: no events in the store, and none raised.
    pub fn is_new(&self) -> bool {
        self.sequence == 0 && self.uncommitted.is_empty()
    }

    /// Puts `metadata` into the events that are raised from now on.
    pub fn set_metadata(&mut self, metadata: Metadata) {
        self.metadata = metadata;
    }

    /// Raises events: the state follows from them at once, the store gets them when the root is saved. The state follows
    /// from what a store will give back, so that it is the one that a replay gives.
    ///
    /// # Errors
    ///
    /// Of kind [`Encode`](crate::ErrorKind::Encode) when a payload cannot be serialized, and
    /// [`Decode`](crate::ErrorKind::Decode) when it could not be read again; none of them is raised then.
    pub fn raise(&mut self, events: impl Into<Events<A::Event>>) -> Result<(), Error> {
        let events = events.into().into_vec();
        let time = self.env.now();
        let raised = events.iter().enumerate().map(|(index, event)| {
            let id = self.id_of_event(self.uncommitted.len() + index);
            let new = NewEvent::new(id, time, event)?.with_metadata(self.metadata.clone());
            let stored: A::Event = new.decode(&self.stream)?;
            Ok((new, stored))
        });
        let raised = raised.collect::<Result<Vec<_>, Error>>()?;
        for (new, stored) in raised {
            self.state.evolve(&stored);
            self.uncommitted.push(new);
        }
        Ok(())
    }

    /// Has the aggregate decide on `command`, and raises what it decides.
    ///
    /// # Errors
    ///
    /// The aggregate's refusal, or what [`raise`](Self::raise) answers.
    pub fn execute(&mut self, command: A::Command) -> Result<(), crate::HandleError<A::Error>> {
        let events = self.state.decide(command).map_err(crate::HandleError::Rejected)?;
        self.raise(events).map_err(crate::HandleError::Store)
    }

    /// The events that were raised and are not in the store.
    pub fn uncommitted(&self) -> &[NewEvent] {
        &self.uncommitted
    }

    /// The state alone.
    pub fn into_state(self) -> A {
        self.state
    }

    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    /// The events that are raised from now on are those of the command `id`.
    pub(crate) fn set_command_id(&mut self, id: Option<Id>) {
        self.command_id = id;
    }

    fn id_of_event(&self, index: usize) -> Id {
        match &self.command_id {
            Some(id) => id_of_event(id, &self.stream, index),
            None => self.env.new_id(),
        }
    }

    /// The store has the first `events` of those that were raised.
    pub(crate) fn committed(&mut self, events: usize) {
        self.sequence += events as u64;
        self.uncommitted.drain(..events);
    }
}

/// The id of the `index`-th event that the command `command_id` leads to in `stream`.
pub(crate) fn id_of_event(command_id: &Id, stream: &StreamId, index: usize) -> Id {
    command_id.derive(&stream.to_string(), index)
}

impl<A: Aggregate> Deref for AggregateRoot<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.state
    }
}

impl<A: Aggregate> fmt::Debug for AggregateRoot<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AggregateRoot")
            .field("stream", &self.stream)
            .field("sequence", &self.sequence)
            .field("uncommitted", &self.uncommitted.len())
            .finish_non_exhaustive()
    }
}
