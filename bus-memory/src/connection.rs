//! One connection to the topics and groups of a process; each is closed by itself.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{Either, select};
use tokio::sync::Notify;

/// What all clones of one handle share.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    is_closed: AtomicBool,
    /// Told when it is closed.
    closed: Notify,
}

impl Connection {
    pub(crate) fn new(id: u64) -> Self {
        Connection { id, is_closed: AtomicBool::new(false), closed: Notify::new() }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// The output of `work`; none where the connection is closed before it has one.
    pub(crate) async fn unless_closed<R>(&self, work: impl Future<Output = R>) -> Option<R> {
        // Before it is asked whether it is closed, so that no closing is unheard.
        let closed = pin!(self.closed.notified());
        if self.is_closed() {
            return None;
        }
        match select(pin!(work), closed).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(((), _)) => None,
        }
    }

    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.closed.notify_waiters();
    }
}
