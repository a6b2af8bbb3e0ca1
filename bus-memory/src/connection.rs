//! One connection to the topics and groups of a process; each is closed by itself.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// What all clones of one handle share.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    is_closed: AtomicBool,
    /// Told when it is closed.
    pub(crate) closed: Notify,
}

impl Connection {
    pub(crate) fn new(id: u64) -> Self {
        Connection { id, is_closed: AtomicBool::new(false), closed: Notify::new() }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.closed.notify_waiters();
    }
}
