//! Settlements of one partition that wait until everything earlier is settled.

use std::collections::BTreeMap;
use std::task::Waker;

use crate::member::Wakes;

/// What a settlement finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Everything earlier is settled.
    Now,
    /// Something earlier is not.
    Later,
    /// There is nothing to settle: it is settled, or no longer with this member.
    Over,
}

/// Who is to be woken, by the number of the delivery.
#[derive(Debug, Default)]
pub(crate) struct Turns(BTreeMap<u64, Vec<Waker>>);

impl Turns {
    /// Wakes `waker` when all before `number` are settled, or none can be any more.
    pub(crate) fn wait(&mut self, number: u64, waker: &Waker) {
        let waiting = self.0.entry(number).or_default();
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    /// Everything before `position` is settled.
    pub(crate) fn reached(&mut self, position: u64, wakes: &mut Wakes) {
        while let Some(next) = self.0.first_entry()
            && *next.key() <= position
        {
            next.remove().into_iter().for_each(|waker| wakes.add(waker));
        }
    }

    /// Nothing will be settled any more.
    pub(crate) fn end(&mut self, wakes: &mut Wakes) {
        std::mem::take(&mut self.0).into_values().flatten().for_each(|waker| wakes.add(waker));
    }
}
