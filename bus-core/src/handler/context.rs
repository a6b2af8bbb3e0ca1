//! What a handler's arguments are made from.

use super::States;
use crate::publish::{Bus, Publisher};
use crate::{Head, RawEvent};

/// One attempt of one handler at its events: what extractors read from.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub(crate) events: &'a [RawEvent],
    pub(crate) attempt: u32,
    pub(crate) states: &'a States,
    pub(crate) bus: &'a Bus,
    pub(crate) handler: &'a str,
    pub(crate) group: &'a str,
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

    /// The application's state.
    pub fn states(&self) -> &'a States {
        self.states
    }

    /// The handler's name.
    pub fn handler(&self) -> &'a str {
        self.handler
    }

    /// The group's full name.
    pub fn group(&self) -> &'a str {
        self.group
    }

    /// The bus that the event came by.
    pub fn bus(&self) -> &'a Bus {
        self.bus
    }

    /// A publisher that carries the event's chain on.
    pub fn publisher(&self) -> Publisher {
        self.bus.publisher().caused_by_head(self.head())
    }
}
