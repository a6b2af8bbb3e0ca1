//! How often events were tried: where a projection stops at those that fail too often, and where one was cut short in a batch.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jitney_core::Id;

/// Events that have gone elsewhere without having succeeded here are forgotten when there are so many.
const MOST: usize = 10_000;

/// Attempts in this process, by event. One that is cut short, by the handler's time limit, counts too.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<Id, u32>>);

impl Attempts {
    /// An attempt begins: which one it is, from 1.
    pub(super) fn begin(&self, event: &Id) -> u32 {
        self.with(|counts| {
            if counts.len() >= MOST && !counts.contains_key(event) {
                counts.clear();
            }
            let count = counts.entry(event.clone()).or_default();
            *count += 1;
            *count
        })
    }

    /// What was begun last was no attempt: the event was not tried.
    pub(super) fn take_back(&self, event: &Id) {
        self.with(|counts| {
            if let Some(count) = counts.get_mut(event) {
                *count = count.saturating_sub(1);
            }
        });
    }

    /// Whether it was begun, and has not come to an end.
    pub(super) fn has(&self, event: &Id) -> bool {
        self.with(|counts| counts.contains_key(event))
    }

    /// It has come to an end: the next attempt is the first one.
    pub(super) fn forget(&self, event: &Id) {
        self.with(|counts| counts.remove(event));
    }

    // Counts are whole whatever panics.
    fn with<T>(&self, change: impl FnOnce(&mut HashMap<Id, u32>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_count_until_they_come_to_an_end() {
        let (attempts, id) = (Attempts::default(), Id::from("e-1"));
        assert_eq!((attempts.begin(&id), attempts.begin(&id)), (1, 2));
        attempts.take_back(&id);
        assert_eq!(attempts.begin(&id), 2);
        attempts.forget(&id);
        assert_eq!(attempts.begin(&id), 1);
    }

    #[test]
    fn what_never_ends_is_forgotten_in_the_end() {
        let attempts = Attempts::default();
        for number in 0..3 * MOST {
            attempts.begin(&Id::from(&*number.to_string()));
        }
        assert!(attempts.with(|counts| counts.len()) <= MOST);
    }
}
