//! One call to publish: its messages, and how far each of them is.

use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use jitney_core::Error;
use jitney_core::message::{Message, Outbound};
use jitney_core::transport::Published;
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};

/// The confirm of one message.
pub(super) type Confirm = Pin<Box<dyn Future<Output = lapin::Result<Confirmation>> + Send>>;

/// A call.
pub(super) struct Call {
    pub(super) batch: Vec<Outbound>,
    state: Mutex<State>,
}

struct State {
    slots: Vec<Slot>,
    /// Everything before it is done.
    first: usize,
    /// Wakes the caller.
    waker: Option<Waker>,
}

/// How far a message is.
enum Slot {
    /// To be sent, and sent before or not.
    Waiting { was_sent: bool },
    /// Sent, and not confirmed.
    Sent(Confirm),
    /// Confirmed, unless it comes back.
    Confirmed { answer: Answer, is_sure: bool },
    /// Answered for.
    Done(Result<(), Error>),
}

/// What the server says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is stored wherever it was to go.
    Ack,
    /// Somewhere it is not.
    Nack,
}

impl From<&Confirmation> for Answer {
    fn from(confirmation: &Confirmation) -> Self {
        if confirmation.is_nack() { Answer::Nack } else { Answer::Ack }
    }
}

/// What a look at the confirms has given.
pub(super) enum Look {
    /// Everything is answered for.
    Done,
    /// Not yet.
    Waiting,
    /// The channel has ended, for this error.
    Interrupted(lapin::Error),
}

impl Call {
    pub(super) fn new(batch: Vec<Outbound>) -> Self {
        let slots = batch.iter().map(|_| Slot::Waiting { was_sent: false }).collect();
        Call { batch, state: Mutex::new(State { slots, first: 0, waker: None }) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first topic of what is to be sent that `is_missing`.
    pub(super) fn missing_topic(&self, is_missing: impl Fn(&str) -> bool) -> Option<&str> {
        let state = self.lock();
        let mut previous = None;
        for (slot, outbound) in state.slots.iter().zip(&self.batch) {
            let topic = &*outbound.message.topic;
            if matches!(slot, Slot::Waiting { .. }) && previous != Some(topic) {
                if is_missing(topic) {
                    return Some(topic);
                }
                previous = Some(topic);
            }
        }
        None
    }

    /// Whether something is to be sent.
    pub(super) fn has_waiting(&self) -> bool {
        self.lock().slots.iter().any(|slot| matches!(slot, Slot::Waiting { .. }))
    }

    /// Whether the message at `index` is to be sent.
    pub(super) fn is_waiting(&self, index: usize) -> bool {
        matches!(self.lock().slots.get(index), Some(Slot::Waiting { .. }))
    }

    /// Whether everything is answered for.
    pub(super) fn is_done(&self) -> bool {
        self.lock().slots.iter().all(|slot| matches!(slot, Slot::Done(_)))
    }

    /// Writes the message at `index` to `channel`, now.
    pub(super) fn send(
        &self,
        index: usize,
        channel: &Arc<Channel>,
        (exchange, key): (ShortString, ShortString),
        properties: BasicProperties,
        mandatory: bool,
    ) {
        let (channel, body) = (Arc::clone(channel), self.batch[index].message.body.clone());
        let mut confirm: Confirm = Box::pin(async move {
            let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
            let sent = channel.basic_publish(exchange, key, options, &body, properties);
            let confirm = sent.await?;
            // The bytes are with the client: they need not be kept for the confirm.
            drop(body);
            confirm.await
        });
        // The first poll hands it to the client, so that it goes out in the order of these calls.
        let slot = match confirm.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(confirmation)) => Slot::Sent(Box::pin(ready(Ok(confirmation)))),
            // The channel has ended: it waits for the next.
            Poll::Ready(Err(_)) => return,
            Poll::Pending => Slot::Sent(confirm),
        };
        if let Some(place) = self.lock().slots.get_mut(index) {
            *place = slot;
        }
    }

    /// Takes the confirm of a message that was sent, to read it elsewhere.
    pub(super) fn take(&self, index: usize) -> Option<Confirm> {
        let mut state = self.lock();
        let slot = state.slots.get_mut(index)?;
        match std::mem::replace(slot, Slot::Waiting { was_sent: true }) {
            Slot::Sent(confirm) => Some(confirm),
            other => {
                *slot = other;
                None
            }
        }
    }

    /// Answers for the message at `index`, unless that was done.
    pub(super) fn settle(&self, index: usize, outcome: Result<(), Error>) {
        if let Some(slot) = self.lock().slots.get_mut(index)
            && !matches!(slot, Slot::Done(_))
        {
            *slot = Slot::Done(outcome);
        }
    }

    /// Keeps whom to wake.
    pub(super) fn register(&self, waker: &Waker) {
        self.lock().register(waker);
    }

    /// Wakes the caller.
    pub(super) fn wake(&self) {
        self.lock().wake();
    }

    /// Reads confirms in order until one is missing.
    pub(super) fn poll(
        &self,
        cx: &mut Context<'_>,
        outcome: impl Fn(&Message, Answer) -> Result<(), Error>,
    ) -> Look {
        let mut state = self.lock();
        while let (at, Some(slot)) = state.first_slot() {
            let message = &self.batch[at].message;
            let read = match slot {
                Slot::Done(_) => None,
                Slot::Confirmed { answer, .. } => Some(Poll::Ready(Ok(outcome(message, *answer)))),
                Slot::Waiting { .. } => Some(Poll::Pending),
                Slot::Sent(confirm) => {
                    let polled = confirm.as_mut().poll(cx);
                    Some(polled.map(|confirmed| {
                        confirmed.map(|confirmation| outcome(message, Answer::from(&confirmation)))
                    }))
                }
            };
            match read {
                None => {}
                Some(Poll::Ready(Ok(outcome))) => *slot = Slot::Done(outcome),
                Some(Poll::Ready(Err(error))) => {
                    *slot = Slot::Waiting { was_sent: true };
                    state.register(cx.waker());
                    return Look::Interrupted(error);
                }
                Some(Poll::Pending) => {
                    state.register(cx.waker());
                    return Look::Waiting;
                }
            }
            state.first += 1;
        }
        Look::Done
    }

    /// Reads what confirms are there, adding messages that came back to `returned`; has those wait again whose channel has
    /// ended, and answers why it did.
    pub(super) fn sweep(&self, returned: &mut Vec<BasicReturnMessage>) -> Option<lapin::Error> {
        let mut state = self.lock();
        let waker = state.waker.clone();
        let mut cx = Context::from_waker(waker.as_ref().unwrap_or(Waker::noop()));
        let mut why = None;
        for slot in &mut state.slots {
            let confirmation = match slot {
                Slot::Sent(confirm) => match confirm.as_mut().poll(&mut cx) {
                    Poll::Ready(Ok(confirmation)) => confirmation,
                    Poll::Ready(Err(error)) => {
                        why = Some(error);
                        *slot = Slot::Waiting { was_sent: true };
                        continue;
                    }
                    Poll::Pending => continue,
                },
                _ => continue,
            };
            *slot = Slot::Confirmed { answer: Answer::from(&confirmation), is_sure: false };
            returned.extend(confirmation.take_message());
        }
        why
    }

    /// Whether everything is confirmed, or answered for.
    pub(super) fn is_confirmed(&self) -> bool {
        self.lock().slots.iter().all(|slot| matches!(slot, Slot::Done(_) | Slot::Confirmed { .. }))
    }

    /// What is confirmed is sure with the next look, unless that finds something against it.
    pub(super) fn ripen(&self) {
        for slot in &mut self.lock().slots {
            if let Slot::Confirmed { is_sure, .. } = slot {
                *is_sure = true;
            }
        }
    }

    /// Answers for what is surely confirmed, and wakes the caller where that was the last of it.
    pub(super) fn finish(&self, outcome: impl Fn(&Message, Answer) -> Result<(), Error>) {
        let mut state = self.lock();
        let mut has_news = false;
        for (slot, outbound) in state.slots.iter_mut().zip(&self.batch) {
            if let Slot::Confirmed { answer, is_sure: true } = slot {
                *slot = Slot::Done(outcome(&outbound.message, *answer));
                has_news = true;
            }
        }
        if has_news {
            state.wake();
        }
    }

    /// What became of each message; those that are not answered for are `overdue`, sent or not.
    pub(super) fn outcomes(&self, overdue: impl Fn(&Message, bool) -> Error) -> Vec<Published> {
        let mut state = self.lock();
        let outcome = |(slot, outbound): (&mut Slot, &Outbound)| {
            let outcome = match slot {
                Slot::Done(outcome) => std::mem::replace(outcome, Ok(())),
                Slot::Waiting { was_sent } => Err(overdue(&outbound.message, *was_sent)),
                Slot::Sent(_) | Slot::Confirmed { .. } => Err(overdue(&outbound.message, true)),
            };
            outcome.map_or_else(super::rejected, |()| Published::Acked)
        };
        state.slots.iter_mut().zip(&self.batch).map(outcome).collect()
    }

    /// Takes the confirms that nobody will read.
    pub(super) fn abandon(&self) -> impl Iterator<Item = Confirm> + use<> {
        let slots = std::mem::take(&mut self.lock().slots);
        slots.into_iter().filter_map(|slot| match slot {
            Slot::Sent(confirm) => Some(confirm),
            Slot::Waiting { .. } | Slot::Confirmed { .. } | Slot::Done(_) => None,
        })
    }
}

impl State {
    fn first_slot(&mut self) -> (usize, Option<&mut Slot>) {
        (self.first, self.slots.get_mut(self.first))
    }

    fn register(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
