//! Whether a handler keeps the processor busy.

use std::sync::atomic::{AtomicU32, Ordering};

/// More slow samples than quick ones by so many make a handler a busy one: a single slow one may only say that the
/// system was busy with something else.
const BUSY_FROM: u32 = 3;
const MOST: u32 = 4;

/// What samples say of a handler.
#[derive(Debug, Default)]
pub(crate) struct Load(AtomicU32);

impl Load {
    /// Whether the handler is taken for a busy one.
    pub(crate) fn is_busy(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= BUSY_FROM
    }

    /// Takes note of a sample.
    pub(crate) fn note(&self, slow: bool) {
        let score = self.0.load(Ordering::Relaxed);
        let score = if slow { (score + 1).min(MOST) } else { score.saturating_sub(1) };
        self.0.store(score, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_slow_sample_makes_no_handler_busy() {
        let load = Load::default();
        for slow in [true, false, true, true, false, true] {
            load.note(slow);
            assert!(!load.is_busy());
        }
    }

    #[test]
    fn a_busy_handler_that_becomes_quick_is_noticed() {
        let load = Load::default();
        (0..10).for_each(|_| load.note(true));
        assert!(load.is_busy());
        (0..2).for_each(|_| load.note(false));
        assert!(!load.is_busy());
    }
}
