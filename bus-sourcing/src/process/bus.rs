//! Inputs from a bus.

use std::marker::PhantomData;

use jitney_core::RawEvent;
use jitney_core::event::{DecodeError, OneOf};
use jitney_core::handler::{Accepts, HandlerInput, HandlerSet, HandlerSpec};

use super::engine::read_input;
use super::{Handling, ProcessManager, ProcessRunner};
use crate::Error;

/// An event of one of the types of `I`.
struct Delivered<I>(RawEvent, PhantomData<fn(I)>);

impl<I: OneOf> HandlerInput for Delivered<I> {
    fn accepts() -> Accepts {
        Accepts::Types(I::types())
    }

    fn read(events: &[RawEvent]) -> Result<Self, DecodeError> {
        let event = events.first().expect("a handler is called with at least one event");
        // What cannot be read is known before anything is loaded.
        I::read(&event.stored_payload())?;
        Ok(Delivered(event.clone(), PhantomData))
    }
}

impl<P: ProcessManager> ProcessRunner<P> {
    /// Handlers that give the process manager what comes from a bus, run as `spec` says:
    /// `runner.handlers(HandlerSpec::new("order_flow"))`.
    ///
    /// What a process does, and that it has seen the event, is one transaction: an event that is delivered again changes
    /// nothing. So the handler need not be idempotent, and returns nothing: what is sent goes through the outbox, from which a
    /// relay publishes it. What cannot be handled is a failure of the handler: retried where that can help, a dead letter
    /// otherwise. Deadlines need a runner that is [spawned](Self::spawn).
    ///
    /// A bus keeps the order of each key at most. Where an input may come before the one that starts its process, let it start
    /// the process too.
    pub fn handlers(&self, spec: HandlerSpec) -> HandlerSet {
        let runner = self.clone();
        HandlerSet::new().handler(spec, move |event: Delivered<P::Input>| {
            let runner = runner.clone();
            async move { runner.handle(&event.0).await.map(drop).map_err(Error::for_handler) }
        })
    }

    /// Has the process manager handle `event`, however it came here.
    ///
    /// # Errors
    ///
    /// When the store does not answer, and when the event cannot be handled. Nothing has changed then, unless the error is of
    /// kind [`Unknown`](crate::ErrorKind::Unknown).
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether the event is handled. It can be handled again.
    pub async fn handle(&self, event: &RawEvent) -> Result<Handling, Error> {
        let head = event.head();
        let what = || format!("event {} (`{}` {})", head.event_id, head.event_type, head.version);
        let read = || read_input::<P>(&what(), &event.stored_payload());
        self.engine.handle(head, read).await
    }
}
