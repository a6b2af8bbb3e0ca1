//! Where publishers wait, first come, first served, while a topic is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, Notify};

/// The queue of publishers in front of one topic.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    waiting: AtomicUsize,
    /// Held by the publisher whose turn it is.
    pub(crate) turn: Mutex<()>,
    /// Told when there is room, for the publisher whose turn it is.
    pub(crate) room: Notify,
}

impl Gate {
    /// Whether publishers wait, whom no later one may overtake.
    pub(crate) fn is_busy(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Lets the publisher whose turn it is look again.
    pub(crate) fn open(&self) {
        if self.is_busy() {
            self.room.notify_one();
        }
    }
}

/// A place in the queue, given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket(pub(crate) Arc<Gate>);

impl Ticket {
    pub(crate) fn take(gate: &Arc<Gate>) -> Self {
        gate.waiting.fetch_add(1, Ordering::AcqRel);
        Ticket(gate.clone())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
