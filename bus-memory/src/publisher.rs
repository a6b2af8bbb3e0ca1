//! Publishing: messages are stored at once where there is room, and otherwise wait for it in their order.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use jitney_core::message::Message;
use jitney_core::transport::Published;

use crate::connection::Connection;
use crate::error;
use crate::faults::{FaultKind, hash, hash_bytes};
use crate::gate::Ticket;
use crate::state::{Locked, Shared};
use crate::topic::Reader;

/// What became of a message that was to be stored.
enum Offer {
    Done(Published),
    /// Its topic is full.
    Full(Box<Message>, Ticket),
}

/// Which messages a topic takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// Those that the broker that is stood in for would take.
    OfBroker,
    /// All: what a dead letter carries was taken once, and its own headers come on top.
    None,
}

impl Shared {
    /// Stores one message, waiting for room.
    pub(crate) async fn store(&self, connection: &Connection, message: Message) -> Published {
        match self.with(|locked| locked.offer(connection, message, Limit::OfBroker, None)) {
            Offer::Done(published) => {
                // A publisher that never has to wait would otherwise keep the handlers of its thread from running.
                tokio::task::coop::consume_budget().await;
                published
            }
            // Boxed: most messages find room, and need not carry the room for this.
            Offer::Full(message, ticket) => {
                Box::pin(self.store_in_turn(connection, message, Limit::OfBroker, ticket)).await
            }
        }
    }

    /// Stores one message of any size, waiting for room.
    pub(crate) async fn store_unlimited(&self, connection: &Connection, message: Message) -> Published {
        match self.with(|locked| locked.offer(connection, message, Limit::None, None)) {
            Offer::Done(published) => published,
            Offer::Full(message, ticket) => {
                self.store_in_turn(connection, message, Limit::None, ticket).await
            }
        }
    }

    /// Stores messages in their order, as many at once as have room.
    pub(crate) async fn store_all(
        &self,
        connection: &Connection,
        mut messages: impl ExactSizeIterator<Item = Message>,
    ) -> Vec<Published> {
        let mut outcomes = Vec::with_capacity(messages.len());
        loop {
            let full = self.with(|locked| {
                for message in messages.by_ref() {
                    match locked.offer(connection, message, Limit::OfBroker, None) {
                        Offer::Done(published) => outcomes.push(published),
                        Offer::Full(message, ticket) => return Some((message, ticket)),
                    }
                }
                None
            });
            let Some((message, ticket)) = full else { return outcomes };
            outcomes.push(Box::pin(self.store_in_turn(connection, message, Limit::OfBroker, ticket)).await);
        }
    }

    async fn store_in_turn(
        &self,
        connection: &Connection,
        message: Box<Message>,
        limit: Limit,
        ticket: Ticket,
    ) -> Published {
        let topic = message.topic.clone();
        let closed = pin!(connection.closed.notified());
        if connection.is_closed() {
            return Published::Rejected(error::closed(&publishing_to(&topic)));
        }
        let stored = pin!(self.store_when_there_is_room(connection, message, limit, ticket));
        match select(stored, closed).await {
            Either::Left((published, _)) => published,
            Either::Right(((), _)) => Published::Rejected(error::closed(&publishing_to(&topic))),
        }
    }

    async fn store_when_there_is_room(
        &self,
        connection: &Connection,
        mut message: Box<Message>,
        limit: Limit,
        mut ticket: Ticket,
    ) -> Published {
        let gate = ticket.0.clone();
        let _turn = gate.turn.lock().await;
        loop {
            match self.with(|locked| locked.offer(connection, *message, limit, Some(ticket))) {
                Offer::Done(published) => return published,
                Offer::Full(again, same) => (message, ticket) = (again, same),
            }
            gate.room.notified().await;
        }
    }
}

fn publishing_to(topic: &str) -> String {
    format!("publishing to topic `{topic}`")
}

impl Locked<'_> {
    /// Stores `message` where there is room and nobody waits before it; `ticket` is that of a publisher whose turn
    /// it is.
    fn offer(
        &mut self,
        connection: &Connection,
        message: Message,
        limit: Limit,
        ticket: Option<Ticket>,
    ) -> Offer {
        if connection.is_closed() {
            return Offer::Done(Published::Rejected(error::closed(&publishing_to(&message.topic))));
        }
        let size = message.size();
        if let Some(most) = self.shared.capabilities.max_message_bytes
            && size > most
            && limit == Limit::OfBroker
        {
            return Offer::Done(Published::Rejected(error::too_large(&message, size, most)));
        }
        let topic = match self.state.topics.find(&message.topic) {
            Some(topic) => topic,
            None if self.shared.config.strict_topics => {
                let error = error::no_topic(&message.topic, "publishing");
                return Offer::Done(Published::Rejected(error));
            }
            None => self.create_topic(&message.topic, None, None),
        };
        let target = self.state.topics.get(topic);
        if !target.has_room(&self.shared.config) || (ticket.is_none() && target.gate.is_busy()) {
            let ticket = ticket.unwrap_or_else(|| Ticket::take(&target.gate));
            return Offer::Full(Box::new(message), ticket);
        }
        if self.shared.dice.on_publish() {
            return Offer::Done(self.append_with_faults(topic, message));
        }
        self.append(topic, message, size);
        Offer::Done(Published::Acked)
    }

    fn append(&mut self, topic: usize, message: Message, size: usize) {
        let Shared { config, env, .. } = self.shared;
        let message = Arc::new(message);
        let target = self.state.topics.get_mut(topic);
        let partition = target.choose(message.key.as_deref());
        if let Some(retention) = target.retention
            && let Ok(oldest) = env.now().checked_sub(retention)
        {
            target.partitions[partition as usize].expire(oldest);
        }
        let offset = self.state.topics.append(topic, partition, message.clone(), size, config);
        for index in 0..self.state.topics.get(topic).readers.len() {
            let Reader { group, first } = self.state.topics.get(topic).readers[index];
            if let Some((group, mut cx)) = self.group(group) {
                group.appended((topic, partition, offset), first, &message, &mut cx);
            }
        }
    }

    fn append_with_faults(&mut self, topic: usize, message: Message) -> Published {
        let key = message.key.as_deref().map_or(0, hash_bytes);
        let identity = hash(&[self.state.topics.get(topic).identity, key, hash_bytes(&message.body)]);
        let met = self.state.publish_faults.entry(identity).or_default();
        if self.shared.dice.strikes(FaultKind::Reject, identity, met) {
            return Published::Rejected(error::rejected_by_fault(&message));
        }
        let unknown = self.shared.dice.strikes(FaultKind::Unknown, identity, met);
        let met = *met;
        if unknown {
            let error = error::unknown_by_fault(&message.topic);
            if self.shared.dice.coin(identity, met) {
                let size = message.size();
                self.append(topic, message, size);
            }
            return Published::Unknown(error);
        }
        self.state.publish_faults.remove(&identity);
        let size = message.size();
        self.append(topic, message, size);
        Published::Acked
    }
}
