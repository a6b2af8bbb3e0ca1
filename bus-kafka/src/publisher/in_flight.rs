//! Which messages of which call the cluster has not answered for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::error::RDKafkaErrorCode;
use slab::Slab;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

/// The messages of a call that failed, by their place in it.
pub(crate) type Failures = Vec<(u32, RDKafkaErrorCode)>;

/// Everything that was handed to the producer and is not answered.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    batches: Mutex<Slab<Batch>>,
    /// Somebody waits for room in the producer's queue.
    is_waited_for: AtomicBool,
    room: Notify,
}

#[derive(Debug)]
struct Batch {
    /// Messages that were handed over and are not answered, and one more until the call has handed all of them over.
    open: usize,
    failures: Failures,
    done: oneshot::Sender<Failures>,
}

/// One call's messages. Dropping it leaves what was handed over to its fate.
pub(crate) struct Ticket<'a> {
    in_flight: &'a InFlight,
    slot: usize,
    /// Messages that were not handed over yet, and one more until the call is over.
    open: usize,
}

impl InFlight {
    /// Begins a call with so many messages; the receiver gets its failures when every message that was handed over is
    /// answered, and the ticket is gone.
    pub(crate) fn begin(&self, messages: usize) -> (Ticket<'_>, oneshot::Receiver<Failures>) {
        let (done, answer) = oneshot::channel();
        let open = messages + 1;
        let slot = self.lock().insert(Batch { open, failures: Vec::new(), done });
        (Ticket { in_flight: self, slot, open }, answer)
    }

    /// The cluster, or the client, has answered for the message of `opaque`.
    pub(crate) fn answered(&self, opaque: usize, failure: Option<RDKafkaErrorCode>) {
        let (slot, index) = (opaque >> 32, opaque as u32);
        self.finish(slot, 1, failure.map(|code| (index, code)));
        if self.is_waited_for.load(Ordering::Relaxed) {
            self.room.notify_waiters();
        }
    }

    /// Is done when a message was answered since this was called, and the producer's queue may have room.
    pub(crate) fn room(&self) -> Notified<'_> {
        let room = self.room.notified();
        self.is_waited_for.store(true, Ordering::Relaxed);
        room
    }

    /// Nobody waits for room any more.
    pub(crate) fn has_room(&self) {
        self.is_waited_for.store(false, Ordering::Relaxed);
    }

    fn finish(&self, slot: usize, messages: usize, failure: Option<(u32, RDKafkaErrorCode)>) {
        let mut batches = self.lock();
        let Some(batch) = batches.get_mut(slot) else { return };
        batch.failures.extend(failure);
        batch.open -= messages;
        if batch.open == 0 {
            let batch = batches.remove(slot);
            drop(batches);
            // Nobody may be waiting any more.
            let _ = batch.done.send(batch.failures);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Batch>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// By what the producer names the message at `index`.
    pub(crate) fn opaque(&self, index: usize) -> usize {
        self.slot << 32 | index
    }

    /// One more message was handed over.
    pub(crate) fn handed_over(&mut self) {
        self.open -= 1;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.in_flight.finish(self.slot, self.open, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_answered_when_its_last_message_is() {
        let in_flight = InFlight::default();
        let (mut ticket, mut answer) = in_flight.begin(4);
        let opaques = [0, 1, 2].map(|index| ticket.opaque(index));
        (0..3).for_each(|_| ticket.handed_over());
        in_flight.answered(opaques[1], Some(RDKafkaErrorCode::MessageTimedOut));
        in_flight.answered(opaques[0], None);
        drop(ticket);
        assert!(answer.try_recv().is_err());
        in_flight.answered(opaques[2], None);
        assert_eq!(answer.try_recv().unwrap(), [(1, RDKafkaErrorCode::MessageTimedOut)]);
        assert!(in_flight.lock().is_empty());
    }

    #[test]
    fn a_call_that_is_dropped_leaves_nothing_behind() {
        let in_flight = InFlight::default();
        let (mut ticket, answer) = in_flight.begin(2);
        let opaque = ticket.opaque(0);
        ticket.handed_over();
        drop((ticket, answer));
        in_flight.answered(opaque, None);
        assert!(in_flight.lock().is_empty());
    }
}
