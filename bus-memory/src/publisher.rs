//! Publishing: messages are stored at once where there is room, and otherwise wait for it in their order.

use std::sync::Arc;

use jitney_core::Error;
use jitney_core::dead_letter::{self, DeadLetter};
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
pub(crate) enum Limit {
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

    /// Stores a dead letter, waiting for room.
    pub(crate) async fn store_dead_letter(
        &self,
        connection: &Connection,
        letter: &DeadLetter,
    ) -> Result<(), Error> {
        let topic = dead_letter::topic(&letter.failure.group);
        self.with(|locked| {
            if locked.state.topics.find(&topic).is_none() {
                locked.create_topic(&topic, None, None); // with strict topics, too
            }
        });
        self.store_unlimited(connection, letter.to_message(topic)).await.into_result()
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
        let mut waiting = Some(message);
        let stored = self.in_turn(ticket, |locked, ticket| {
            let message = waiting.take().expect("what found no room was given back");
            match locked.offer(connection, *message, limit, Some(ticket)) {
                Offer::Done(published) => Ok(published),
                Offer::Full(message, ticket) => {
                    waiting = Some(message);
                    Err(ticket)
                }
            }
        });
        let closed = || Published::Rejected(error::closed(&publishing_to(&topic)));
        connection.unless_closed(stored).await.unwrap_or_else(closed)
    }

    /// Makes `attempt` until it finds room, in the queue of the topic whose ticket it answers: first come, first served.
    pub(crate) async fn in_turn<R>(
        &self,
        mut ticket: Ticket,
        mut attempt: impl FnMut(&mut Locked<'_>, &Ticket) -> Result<R, Ticket>,
    ) -> R {
        loop {
            let gate = ticket.0.clone();
            let _turn = gate.turn.lock().await;
            ticket = loop {
                match self.with(|locked| attempt(locked, &ticket)) {
                    Ok(result) => return result,
                    Err(same) if Arc::ptr_eq(&same.0, &gate) => gate.room.notified().await,
                    Err(other) => break other,
                }
            };
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
        ticket: Option<&Ticket>,
    ) -> Offer {
        if connection.is_closed() {
            return Offer::Done(Published::Rejected(error::closed(&publishing_to(&message.topic))));
        }
        let size = message.size();
        if let Some(error) = self.refusal(&message, size, limit) {
            return Offer::Done(Published::Rejected(error));
        }
        let topic = self.find_or_create(&message.topic);
        let target = self.state.topics.get(topic);
        if !target.has_room_for(1, &self.shared.config) || (ticket.is_none() && target.gate.is_busy()) {
            return Offer::Full(Box::new(message), Ticket::take(&target.gate));
        }
        if self.shared.dice.on_publish() {
            return Offer::Done(self.append_with_faults(topic, message));
        }
        self.append(topic, message, size);
        Offer::Done(Published::Acked)
    }

    /// Why the broker does not take `message` of `size` bytes, where it does not.
    #[inline]
    pub(crate) fn refusal(&self, message: &Message, size: usize, limit: Limit) -> Option<Error> {
        if limit == Limit::None {
            return None;
        }
        let most = self.shared.capabilities.max_message_bytes.unwrap_or(usize::MAX);
        if size > most {
            return Some(error::too_large(message, size, most));
        }
        let is_unknown = self.shared.config.strict_topics && self.state.topics.find(&message.topic).is_none();
        is_unknown.then(|| error::no_topic(&message.topic, "publishing"))
    }

    /// The topic `name`, which is made where it does not exist.
    pub(crate) fn find_or_create(&mut self, name: &str) -> usize {
        match self.state.topics.find(name) {
            Some(topic) => topic,
            None => self.create_topic(name, None, None),
        }
    }

    pub(crate) fn append(&mut self, topic: usize, message: Message, size: usize) {
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
        let identity = self.identity(topic, &message);
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

    /// Identifies `message` where faults are decided.
    pub(crate) fn identity(&self, topic: usize, message: &Message) -> u64 {
        let key = message.key.as_deref().map_or(0, hash_bytes);
        hash(&[self.state.topics.get(topic).identity, key, hash_bytes(&message.body)])
    }
}
