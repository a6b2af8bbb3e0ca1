//! What a handler's arguments are made from.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use super::States;
use crate::dispatch::{Group, Route};
use crate::inbox::{Lent, UnitOfWork};
use crate::publish::{Bus, Publisher};
use crate::{Head, RawEvent};

/// One attempt of one handler at its events: what extractors read from.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub(crate) events: &'a [RawEvent],
    pub(crate) attempt: u32,
    pub(crate) group: &'a Group,
    pub(crate) route: &'a Route,
    /// The transaction of the attempt, where the handler asks for one.
    pub(crate) unit: Option<&'a Lent>,
}

impl<'a> Context<'a> {
    /// The events: one, or several where the handler takes batches.
    pub fn events(&self) -> &'a [RawEvent] {
        self.events
    }

    /// The event (of a batch, the last one): the cause of what the handler publishes.
    pub fn event(&self) -> &'a RawEvent {
        self.events.last().expect("a handler is called with at least one event")
    }

    /// Everything of the event but the payload.
    pub fn head(&self) -> &'a Head {
        self.event().head()
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// What is not done this long after the attempt began is dropped, and counts as failed.
    pub fn time_limit(&self) -> Duration {
        self.route.timeout
    }

    /// The application's state.
    pub fn states(&self) -> &'a States {
        &self.group.states
    }

    /// The handler's name.
    pub fn handler(&self) -> &'a str {
        &self.route.name
    }

    /// The group's full name.
    pub fn group(&self) -> &'a str {
        &self.group.name
    }

    /// The bus that the event came by.
    pub fn bus(&self) -> &'a Bus {
        &self.group.bus
    }

    /// The transaction in which the event is handled, where the handler asks for one of the kind `U`: what an extractor lends it
    /// from.
    pub fn unit<U: UnitOfWork>(&self) -> Option<&'a U> {
        let unit: &dyn Any = &*self.unit?.0;
        unit.downcast_ref()
    }

    /// A publisher that carries the event's chain on.
    pub fn publisher(&self) -> Publisher {
        self.bus().publisher().caused_by_head(self.head())
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("group", &self.group())
            .field("handler", &self.handler())
            .field("attempt", &self.attempt)
            .field("events", &self.events.len())
            .finish()
    }
}
