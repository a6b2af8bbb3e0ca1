//! The answering half of a membership.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::Error;
use jitney_core::dead_letter::{self, DeadLetter};
use jitney_core::transport::{Epoch, Settle, SettleError, Settlement, Settler, Token};

use crate::connection::Connection;
use crate::error;
use crate::state::{Locked, Shared};

/// After so long a delivery comes again whose dead letter can never be stored.
const UNBURIED_PAUSE: Duration = Duration::from_secs(1);

/// Settles what was delivered to one member.
#[derive(Debug)]
pub(crate) struct MemorySettler {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    group: usize,
    member: u64,
}

/// What is left to be done after settling at once.
enum Rest {
    Nothing,
    DeadLetters,
    Closed,
}

impl MemorySettler {
    pub(crate) fn new(shared: Arc<Shared>, connection: Arc<Connection>, group: usize, member: u64) -> Self {
        MemorySettler { shared, connection, group, member }
    }

    /// Settles all but dead letters.
    fn settle_at_once(&self, locked: &mut Locked<'_>, settlements: &[Settlement]) -> Rest {
        if self.connection.is_closed() {
            return Rest::Closed;
        }
        let has_faults = locked.shared.dice.on_deliveries();
        let Some((group, mut cx)) = locked.group(self.group) else { return Rest::Nothing };
        if has_faults && settlements.iter().any(|one| group.member_crashes(self.member, one.token, &mut cx)) {
            return Rest::Nothing;
        }
        let mut rest = Rest::Nothing;
        for Settlement { token, settle } in settlements {
            match settle {
                Settle::DeadLetter(_) => rest = Rest::DeadLetters,
                Settle::Ack if has_faults && group.ack_is_lost(self.member, *token, &mut cx) => {}
                Settle::Ack | Settle::Retry { .. } => group.settle(self.member, *token, settle, &mut cx),
            }
        }
        rest
    }

    /// Stores a dead letter, waiting for room, and then settles its delivery. Where storing fails, the delivery
    /// stays with the member if it may try again, and otherwise comes again.
    async fn bury(&self, token: Token, letter: &DeadLetter) -> Result<(), Error> {
        let topic = dead_letter::topic(&letter.failure.group);
        let is_held = self.shared.with(|locked| {
            let is_held = locked.group(self.group).is_some_and(|(group, _)| group.holds(self.member, token));
            if is_held && locked.state.topics.find(&topic).is_none() {
                locked.create_topic(&topic, None, None); // with strict topics, too
            }
            is_held
        });
        if !is_held {
            return Ok(());
        }
        let stored =
            self.shared.store_unlimited(&self.connection, letter.to_message(topic)).await.into_result();
        let settle = match &stored {
            Err(error) if error.is_retryable() => return stored,
            Err(_) => Settle::Retry { after: UNBURIED_PAUSE },
            Ok(()) => Settle::Ack,
        };
        self.shared.with(|locked| {
            if let Some((group, mut cx)) = locked.group(self.group) {
                group.settle(self.member, token, &settle, &mut cx);
            }
        });
        stored
    }

    async fn bury_all(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        let mut failed = Vec::new();
        for settlement in settlements {
            if let Settle::DeadLetter(letter) = &settlement.settle
                && let Err(error) = self.bury(settlement.token, letter).await
            {
                failed.push((settlement, error));
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(SettleError { failed }) }
    }
}

#[async_trait]
impl Settler for MemorySettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        match self.shared.with(|locked| self.settle_at_once(locked, &settlements)) {
            Rest::Nothing => Ok(()),
            // Boxed: most calls have no dead letters, and need not carry the room for this.
            Rest::DeadLetters => Box::pin(self.bury_all(settlements)).await,
            Rest::Closed => {
                let failed = |settlement| (settlement, error::closed("settling a delivery"));
                Err(SettleError { failed: settlements.into_iter().map(failed).collect() })
            }
        }
    }

    async fn keep_alive(&self, tokens: &[Token]) -> Result<(), Error> {
        self.shared.with(|locked| {
            if let Some((group, cx)) = locked.group(self.group) {
                group.keep_alive(self.member, tokens, &cx);
            }
        });
        Ok(())
    }

    async fn release(&self, epoch: Epoch) {
        self.shared.with(|locked| {
            if let Some((group, mut cx)) = locked.group(self.group) {
                group.release(self.member, epoch, &mut cx);
            }
        });
    }

    async fn leave(&self, _limit: Duration) -> Result<(), Error> {
        self.shared.with(|locked| locked.leave(self.group, self.member));
        Ok(())
    }
}
