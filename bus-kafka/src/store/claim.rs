//! What is asked of the writer of a partition, and whether it may still be given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use jitney_core::Id;
use jitney_sourcing::{Append, Error, Expected, StreamAppended, StreamId, StreamState};
use tokio::sync::oneshot;

/// A change of streams of one partition.
pub(super) enum Request {
    /// Events.
    Append(Append),
    /// Another state, by a mark of this id.
    Change { id: Id, stream: StreamId, expected: Expected, state: StreamState },
}

/// Where the events went; nothing for a change of state.
pub(super) type Answer = Result<Vec<StreamAppended>, Error>;

/// A request on its way to the writer of its partition.
pub(super) struct Command {
    pub(super) request: Request,
    claim: Arc<AtomicU8>,
    answer: oneshot::Sender<Answer>,
}

/// What whoever waits for an answer keeps. Dropped, it gives the request up, as far as that is possible.
pub(super) struct Claim(Arc<AtomicU8>);

const WAITS: u8 = 0;
const SENT: u8 = 1;
const GIVEN_UP: u8 = 2;

impl Command {
    pub(super) fn new(request: Request) -> (Self, Claim, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let claim = Arc::new(AtomicU8::new(WAITS));
        (Command { request, claim: Arc::clone(&claim), answer }, Claim(claim), answered)
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.claim.load(Ordering::Acquire) == GIVEN_UP || self.answer.is_closed()
    }

    /// Whether it is still wanted; from now on it may be stored, and cannot be given up.
    pub(super) fn take(&self) -> bool {
        self.claim.compare_exchange(WAITS, SENT, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// It is not stored, and can be given up again; false where nobody waits any more.
    pub(super) fn put_back(&self) -> bool {
        self.claim.store(WAITS, Ordering::Release);
        !self.answer.is_closed()
    }

    pub(super) fn answer(self, answer: Answer) {
        // Whoever asked may have gone.
        let _ = self.answer.send(answer);
    }
}

impl Claim {
    /// Gives the request up; false where it may be stored already.
    pub(super) fn give_up(&self) -> bool {
        let given_up = self.0.compare_exchange(WAITS, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire);
        given_up.is_ok_and(|_| true)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.give_up();
    }
}
