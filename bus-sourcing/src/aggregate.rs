//! Aggregates: what decides on events, and follows from them.

use std::error::Error as StdError;

use jitney_core::DomainEvent;

/// A thing whose state follows from its events, and which decides on commands by its state.
///
/// Both functions are pure: the same state and command give the same events, and the same events give the same state. A
/// repository calls `decide` again on the newer state when another writer was faster.
pub trait Aggregate: Default + Send + Sync + 'static {
    /// What can have happened to it: an enum with `#[event(aggregate = "…")]`, whose name for the aggregate is the type of
    /// its streams.
    type Event: DomainEvent;

    /// What can be asked of it.
    type Command: Clone + Send + Sync + 'static;

    /// Why it refuses.
    type Error: StdError + Send + Sync + 'static;

    /// Raise this when `evolve` makes another state of the same events: snapshots of before are then not used.
    const STATE_VERSION: u32 = 1;

    /// What happens, given what has happened: nothing, one event, or several.
    ///
    /// # Errors
    ///
    /// When it refuses; nothing happens then.
    fn decide(&self, command: Self::Command) -> Result<Events<Self::Event>, Self::Error>;

    /// Follows from one event. It cannot fail: the event has happened.
    fn evolve(&mut self, event: &Self::Event);
}

/// What [`Aggregate::decide`] returns: made from an event, an array, a `Vec` or an `Option` of events.
///
/// ```
/// use jitney_sourcing::Events;
///
/// assert!(Events::<u8>::none().is_empty());
/// assert_eq!(Events::<u8>::from([1, 2]).into_vec(), [1, 2]);
/// assert_eq!(Events::<u8>::from(Some(3)).into_vec(), [3]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Events<E>(Vec<E>);

impl<E> Events<E> {
    /// Nothing happens.
    pub const fn none() -> Self {
        Events(Vec::new())
    }

    /// And then `event`.
    pub fn and(mut self, event: E) -> Self {
        self.0.push(event);
        self
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing happens.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The events in their order.
    pub fn into_vec(self) -> Vec<E> {
        self.0
    }
}

impl<E> From<E> for Events<E> {
    fn from(event: E) -> Self {
        Events(vec![event])
    }
}

impl<E> From<Vec<E>> for Events<E> {
    fn from(events: Vec<E>) -> Self {
        Events(events)
    }
}

impl<E> From<Option<E>> for Events<E> {
    fn from(event: Option<E>) -> Self {
        Events(event.into_iter().collect())
    }
}

impl<E, const N: usize> From<[E; N]> for Events<E> {
    fn from(events: [E; N]) -> Self {
        Events(events.into())
    }
}

impl<E> FromIterator<E> for Events<E> {
    fn from_iter<I: IntoIterator<Item = E>>(events: I) -> Self {
        Events(events.into_iter().collect())
    }
}

impl<E> Extend<E> for Events<E> {
    fn extend<I: IntoIterator<Item = E>>(&mut self, events: I) {
        self.0.extend(events);
    }
}

impl<E> IntoIterator for Events<E> {
    type Item = E;
    type IntoIter = std::vec::IntoIter<E>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
