//! What a handler returns, and what that means for its event.

use std::fmt;
use std::time::Duration;

use super::{Each, HandlerError, IntoHandlerError};
use crate::codec::EncodePayload;
use crate::event::{EventType, Keyed};

/// What is to become of the event, and what follows from it.
#[derive(Debug)]
#[must_use]
pub struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) outputs: Vec<Output>,
}

/// What is to become of the event.
#[derive(Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// It is done.
    Ack,
    /// Hand it in again after this time; it does not count as a failure.
    RetryAfter(Duration),
    /// Give it up, for this reason.
    DeadLetter(String),
    /// It failed.
    Failed(HandlerError),
}

impl Outcome {
    /// The event is done.
    pub fn ack() -> Self {
        Verdict::Ack.into()
    }

    /// Hand the event in again after `delay`. It does not count as a failed attempt, unless the handler's retries are
    /// `delayed`: a broker counts every delivery.
    pub fn retry_after(delay: Duration) -> Self {
        Verdict::RetryAfter(delay).into()
    }

    /// Give the event up at once, for `reason`.
    pub fn dead_letter(reason: impl Into<String>) -> Self {
        Verdict::DeadLetter(reason.into()).into()
    }

    /// The event is done, and `event` follows from it.
    pub fn publish<E: Keyed>(event: E) -> Self {
        Outcome::ack().and_publish(event)
    }

    /// This outcome, and `event` follows. Outputs are published only where the verdict is an ack.
    pub fn and_publish<E: Keyed>(mut self, event: E) -> Self {
        self.outputs.push(Output::new(event));
        self
    }

    /// What is to become of the event.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        Outcome { verdict, outputs: Vec::new() }
    }
}

/// An event that follows from the one that was handled: published before that one is settled.
pub struct Output {
    pub(crate) event_type: &'static EventType,
    pub(crate) aggregate_id: String,
    pub(crate) key: Option<String>,
    pub(crate) payload: Box<dyn EncodePayload>,
}

impl Output {
    /// The output `event`.
    pub fn new<E: Keyed>(event: E) -> Self {
        Output {
            event_type: event.event_type(),
            aggregate_id: event.aggregate_id(),
            key: event.key(),
            payload: Box::new(event),
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("event_type", &self.event_type.name())
            .field("aggregate_id", &self.aggregate_id)
            .finish_non_exhaustive()
    }
}

/// Events that a handler returns: none, one, some, several, of one type or of different ones.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned by a handler",
    label = "not an event, a collection of events, or an outcome",
    note = "return nothing, an event with a key (`#[event(id = …)]`), `Option`, `Vec` or a tuple of those, an `Outcome`, or a `Result` of any of these"
)]
pub trait OutputEvents {
    /// Appends the events in their order.
    fn append_to(self, outputs: &mut Vec<Output>);
}

#[diagnostic::do_not_recommend]
impl<E: Keyed> OutputEvents for E {
    fn append_to(self, outputs: &mut Vec<Output>) {
        outputs.push(Output::new(self));
    }
}

impl<O: OutputEvents> OutputEvents for Option<O> {
    fn append_to(self, outputs: &mut Vec<Output>) {
        if let Some(events) = self {
            events.append_to(outputs);
        }
    }
}

impl<O: OutputEvents> OutputEvents for Vec<O> {
    fn append_to(self, outputs: &mut Vec<Output>) {
        for events in self {
            events.append_to(outputs);
        }
    }
}

macro_rules! tuples {
    ($($($event:ident)*;)*) => {$(
        impl<$($event: OutputEvents),*> OutputEvents for ($($event,)*) {
            #[allow(non_snake_case, unused_variables)]
            fn append_to(self, outputs: &mut Vec<Output>) {
                let ($($event,)*) = self;
                $($event.append_to(outputs);)*
            }
        }
    )*};
}

tuples! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}

/// What a handler may return for one event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned by a handler",
    label = "not an event, a collection of events, or an outcome",
    note = "return nothing, an event with a key (`#[event(id = …)]`), `Option`, `Vec` or a tuple of those, an `Outcome`, or a `Result` of any of these"
)]
pub trait IntoOutcome {
    /// What it means.
    fn into_outcome(self) -> Outcome;
}

#[diagnostic::do_not_recommend]
impl<O: OutputEvents> IntoOutcome for O {
    fn into_outcome(self) -> Outcome {
        let mut outcome = Outcome::ack();
        self.append_to(&mut outcome.outputs);
        outcome
    }
}

#[diagnostic::do_not_recommend]
impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<R: IntoOutcome, E: IntoHandlerError> IntoOutcome for Result<R, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(value) => value.into_outcome(),
            Err(error) => Verdict::Failed(error.into_handler_error()).into(),
        }
    }
}

/// What became of the events of one call.
#[derive(Debug)]
pub enum Reply {
    /// The same for all of them.
    All(Outcome),
    /// One for each, in their order.
    Each(Vec<Outcome>),
}

/// What a handler may return: an outcome, or for a batch [`Each`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned by a handler",
    label = "not an event, a collection of events, or an outcome",
    note = "return nothing, an event with a key (`#[event(id = …)]`), `Option`, `Vec` or a tuple of those, an `Outcome`, or a `Result` of any of these; for a batch, `Each` of those"
)]
pub trait IntoReply {
    /// What it means.
    fn into_reply(self) -> Reply;
}

#[diagnostic::do_not_recommend]
impl<R: IntoOutcome> IntoReply for R {
    fn into_reply(self) -> Reply {
        Reply::All(self.into_outcome())
    }
}

#[diagnostic::do_not_recommend]
impl<R: IntoOutcome> IntoReply for Each<R> {
    fn into_reply(self) -> Reply {
        Reply::Each(self.0.into_iter().map(IntoOutcome::into_outcome).collect())
    }
}
