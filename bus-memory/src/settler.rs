//! The answering half of a membership.

mod in_turn;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::Error;
use jitney_core::dead_letter::DeadLetter;
use jitney_core::transport::{Epoch, Settle, SettleError, Settlement, Settler, Token};

use crate::connection::Connection;
use crate::error;
use crate::state::{Locked, Shared};

/// Settles what was delivered to one member.
#[derive(Debug)]
pub(crate) struct MemorySettler {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    group: usize,
    member: u64,
    exactly_once: bool,
}

/// What is left to be done after settling at once.
enum Rest {
    Nothing,
    DeadLetters,
    Closed,
}

impl MemorySettler {
    pub(crate) fn new(
        shared: Arc<Shared>,
        connection: Arc<Connection>,
        group: usize,
        member: u64,
        exactly_once: bool,
    ) -> Self {
        MemorySettler { shared, connection, group, member, exactly_once }
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
        for Settlement { token, settle, .. } in settlements {
            match settle {
                Settle::DeadLetter(_) => rest = Rest::DeadLetters,
                Settle::Ack if has_faults && group.ack_is_lost(self.member, *token, &mut cx) => {}
                Settle::Ack | Settle::Retry { .. } => group.settle(self.member, *token, settle, &mut cx),
            }
        }
        rest
    }

    /// Stores a dead letter, waiting for room, and then settles its delivery. Where storing fails, the delivery
    /// stays with the member, who may try again.
    async fn bury(&self, token: Token, letter: &DeadLetter) -> Result<(), Error> {
        let is_held = self.shared.with(|locked| {
            locked.group(self.group).is_some_and(|(group, _)| group.holds(self.member, token))
        });
        if !is_held {
            return Ok(());
        }
        self.shared.store_dead_letter(&self.connection, letter).await?;
        self.shared.with(|locked| {
            if let Some((group, mut cx)) = locked.group(self.group) {
                group.settle(self.member, token, &Settle::Ack, &mut cx);
            }
        });
        Ok(())
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

fn all_failed(settlements: Vec<Settlement>, error: impl Fn() -> Error) -> SettleError {
    SettleError { failed: settlements.into_iter().map(|settlement| (settlement, error())).collect() }
}

/// What is said of a settlement that comes after closing.
fn closed() -> Error {
    error::closed("settling a delivery")
}

#[async_trait]
impl Settler for MemorySettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        if self.exactly_once {
            return Box::pin(self.settle_in_turn(settlements)).await;
        }
        if settlements.iter().any(|one| !one.outputs.is_empty()) {
            return Err(all_failed(settlements, error::outputs_not_expected));
        }
        match self.shared.with(|locked| self.settle_at_once(locked, &settlements)) {
            Rest::Nothing => Ok(()),
            // Boxed: most calls have no dead letters, and need not carry the room for this.
            Rest::DeadLetters => Box::pin(self.bury_all(settlements)).await,
            Rest::Closed => Err(all_failed(settlements, closed)),
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
