//! Publishing: messages are stored at once where there is room, and otherwise wait for it in their order.

use jitney_core::message::Message;
use jitney_core::transport::Published;

use crate::gate::Ticket;
use crate::state::{Offer, Shared};

impl Shared {
    /// Stores one message, waiting for room.
    pub(crate) async fn store(&self, message: Message) -> Published {
        match self.with(|locked| locked.offer(message, None)) {
            Offer::Done(published) => published,
            Offer::Full(message, ticket) => self.store_in_turn(*message, ticket).await,
        }
    }

    /// Stores messages in their order, as many at once as have room.
    pub(crate) async fn store_all(&self, messages: impl ExactSizeIterator<Item = Message>) -> Vec<Published> {
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut messages = messages;
        loop {
            let full = self.with(|locked| {
                for message in messages.by_ref() {
                    match locked.offer(message, None) {
                        Offer::Done(published) => outcomes.push(published),
                        Offer::Full(message, ticket) => return Some((message, ticket)),
                    }
                }
                None
            });
            match full {
                Some((message, ticket)) => outcomes.push(self.store_in_turn(*message, ticket).await),
                None => return outcomes,
            }
        }
    }

    async fn store_in_turn(&self, mut message: Message, mut ticket: Ticket) -> Published {
        let gate = ticket.0.clone();
        let _turn = gate.turn.lock().await;
        loop {
            match self.with(|locked| locked.offer(message, Some(ticket))) {
                Offer::Done(published) => return published,
                Offer::Full(again, same) => (message, ticket) = (*again, same),
            }
            gate.room.notified().await;
        }
    }
}
