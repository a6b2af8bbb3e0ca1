//! Messages that are stored as one: all of them or none, in whatever topics they are.

use std::collections::BTreeMap;

use jitney_core::message::Message;
use jitney_core::transport::Published;

use crate::connection::Connection;
use crate::error;
use crate::faults::{FaultKind, hash};
use crate::gate::Ticket;
use crate::publisher::Limit;
use crate::state::{Locked, Shared};

/// One of the messages.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) message: Message,
    pub(crate) limit: Limit,
}

impl Part {
    /// A message that the broker that is stood in for takes or refuses.
    pub(crate) fn new(message: Message) -> Self {
        Part { message, limit: Limit::OfBroker }
    }
}

/// What became of the messages.
pub(crate) struct Offered {
    /// What their publisher is told.
    pub(crate) published: Published,
    /// Whether they are stored, whatever it is told.
    pub(crate) is_stored: bool,
}

impl Offered {
    /// They are stored.
    pub(crate) const STORED: Offered = Offered { published: Published::Acked, is_stored: true };

    fn refused(error: jitney_core::Error) -> Self {
        Offered { published: Published::Rejected(error), is_stored: false }
    }
}

impl Shared {
    /// Stores all messages or none, waiting for room for all of them.
    pub(crate) async fn store_as_one(&self, connection: &Connection, parts: Vec<Part>) -> Published {
        let offered = match self.with(|locked| locked.offer_as_one(connection, &parts, None)) {
            Ok(offered) => offered,
            Err(ticket) => {
                let stored = self
                    .in_turn(ticket, |locked, ticket| locked.offer_as_one(connection, &parts, Some(ticket)));
                let closed = || Offered::refused(error::closed(&publishing(&parts)));
                connection.unless_closed(stored).await.unwrap_or_else(closed)
            }
        };
        tokio::task::coop::consume_budget().await;
        offered.published
    }
}

fn publishing(parts: &[Part]) -> String {
    format!("publishing {} messages as one", parts.len())
}

impl Locked<'_> {
    /// Stores all parts or none: where the broker takes each of them, there is room for all and nobody waits before
    /// them; `ticket` is that of a publisher whose turn it is.
    ///
    /// # Errors
    ///
    /// A place in the queue of a topic that is full; nothing is stored then.
    pub(crate) fn offer_as_one(
        &mut self,
        connection: &Connection,
        parts: &[Part],
        ticket: Option<&Ticket>,
    ) -> Result<Offered, Ticket> {
        if connection.is_closed() {
            return Ok(Offered::refused(error::closed(&publishing(parts))));
        }
        for Part { message, limit } in parts {
            if let Some(error) = self.refusal(message, message.size(), *limit) {
                return Ok(Offered::refused(error));
            }
        }
        let topics: Vec<usize> = parts.iter().map(|part| self.find_or_create(&part.message.topic)).collect();
        self.find_room(&topics, ticket)?;
        if self.shared.dice.on_publish()
            && let Some(offered) = self.meet_faults(&topics, parts)
        {
            return Ok(offered);
        }
        self.append_all(&topics, parts);
        Ok(Offered::STORED)
    }

    /// Who has waited in one queue need not wait in another: it could have to go to and fro for ever.
    fn find_room(&self, topics: &[usize], ticket: Option<&Ticket>) -> Result<(), Ticket> {
        let mut counts = BTreeMap::<usize, usize>::new();
        topics.iter().for_each(|topic| *counts.entry(*topic).or_default() += 1);
        for (topic, count) in counts {
            let target = self.state.topics.get(topic);
            let must_wait = ticket.is_none() && target.gate.is_busy();
            if must_wait || !target.has_room_for(count, &self.shared.config) {
                return Err(Ticket::take(&target.gate));
            }
        }
        Ok(())
    }

    fn append_all(&mut self, topics: &[usize], parts: &[Part]) {
        for (topic, Part { message, .. }) in topics.iter().zip(parts) {
            self.append(*topic, message.clone(), message.size());
        }
    }

    /// Lets faults strike all parts as one. Answers what became of them where one did.
    fn meet_faults(&mut self, topics: &[usize], parts: &[Part]) -> Option<Offered> {
        let first = parts.first()?;
        let identities = topics.iter().zip(parts).map(|(topic, part)| self.identity(*topic, &part.message));
        let identity = hash(&identities.collect::<Vec<_>>());
        let dice = &self.shared.dice;
        let met = self.state.publish_faults.entry(identity).or_default();
        if dice.strikes(FaultKind::Reject, identity, met) {
            return Some(Offered::refused(error::rejected_by_fault(&first.message)));
        }
        if dice.strikes(FaultKind::Unknown, identity, met) {
            let is_stored = dice.coin(identity, *met);
            if is_stored {
                self.append_all(topics, parts);
            }
            let published = Published::Unknown(error::unknown_by_fault(&first.message.topic));
            return Some(Offered { published, is_stored });
        }
        self.state.publish_faults.remove(&identity);
        None
    }
}
