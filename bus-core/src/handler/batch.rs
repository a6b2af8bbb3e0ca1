//! Several events at once, and an outcome for each.

use crate::Envelope;

/// Events of one partition that follow on each other, for a handler that is faster with many than with one.
///
/// A handler that takes a batch returns one outcome for all of it, or [`Each`]. Events that follow from the batch as a
/// whole take their ids from its last event: when the same events come again in batches that are cut elsewhere, they are
/// published under other ids. Return [`Each`] where a reader must recognise them.
#[derive(Debug, Clone)]
pub struct Batch<E>(Vec<Envelope<E>>);

impl<E> Batch<E> {
    /// The batch of `events`.
    pub fn new(events: Vec<Envelope<E>>) -> Self {
        Batch(events)
    }

    /// How many there are; at least one.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The events in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Envelope<E>> {
        self.0.iter()
    }
}

impl<E> IntoIterator for Batch<E> {
    type Item = Envelope<E>;
    type IntoIter = std::vec::IntoIter<Envelope<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, E> IntoIterator for &'a Batch<E> {
    type Item = &'a Envelope<E>;
    type IntoIter = std::slice::Iter<'a, Envelope<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The outcomes of a batch, one for each event in its order: those that failed are tried again, the others are
/// done. A list of the wrong length fails the whole batch.
///
/// An event that failed is handled again behind those of its key that succeeded; a handler to which their order matters
/// returns one outcome for all of them.
#[derive(Debug, Clone)]
pub struct Each<R>(pub Vec<R>);
