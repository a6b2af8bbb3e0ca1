//! The answering half of a membership.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::Error;
use jitney_core::dead_letter;
use jitney_core::transport::{Epoch, Settle, SettleError, Settlement, Settler, Token};

use crate::error;
use crate::state::{Locked, Shared};

/// Settles what was delivered to one member.
#[derive(Debug)]
pub(crate) struct MemorySettler {
    shared: Arc<Shared>,
    group: usize,
    member: u64,
}

impl MemorySettler {
    pub(crate) fn new(shared: Arc<Shared>, group: usize, member: u64) -> Self {
        MemorySettler { shared, group, member }
    }

    fn settle_one(&self, locked: &mut Locked<'_>, token: Token, settle: &Settle) {
        let Some((group, mut cx)) = locked.group(self.group) else { return };
        let lost = self.shared.has_delivery_faults()
            && !matches!(settle, Settle::Retry { .. })
            && group.ack_is_lost(self.member, token, &mut cx);
        if !lost {
            group.settle(self.member, token, settle, &mut cx);
        }
    }

    /// Whether a fault kills this member before it settles anything.
    fn crashes(&self, settlements: &[Settlement]) -> bool {
        self.shared.has_delivery_faults()
            && self.shared.with(|locked| {
                let Some((group, mut cx)) = locked.group(self.group) else { return false };
                settlements
                    .iter()
                    .any(|settlement| group.member_crashes(self.member, settlement.token, &mut cx))
            })
    }

    /// Stores a dead letter, waiting for room, and then settles its delivery.
    async fn bury(&self, settlement: &Settlement, letter: &dead_letter::DeadLetter) -> Result<(), Error> {
        let token = settlement.token;
        let holds = |locked: &mut Locked<'_>| {
            locked.group(self.group).is_some_and(|(group, _)| group.holds(self.member, token))
        };
        if !self.shared.with(holds) {
            return Ok(());
        }
        let message = letter.to_message(dead_letter::topic(&letter.failure.group));
        self.shared.store(message).await.into_result()?;
        self.shared.with(|locked| self.settle_one(locked, token, &settlement.settle));
        Ok(())
    }
}

#[async_trait]
impl Settler for MemorySettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        let closed = self.shared.with(|locked| locked.state.is_closed);
        if closed {
            let failed = |settlement| (settlement, error::closed("settling a delivery"));
            return Err(SettleError { failed: settlements.into_iter().map(failed).collect() });
        }
        if self.crashes(&settlements) {
            return Ok(());
        }
        let dead = self.shared.with(|locked| {
            let mut dead = false;
            for Settlement { token, settle } in &settlements {
                match settle {
                    Settle::DeadLetter(_) => dead = true,
                    Settle::Ack | Settle::Retry { .. } => self.settle_one(locked, *token, settle),
                }
            }
            dead
        });
        let mut failed = Vec::new();
        for settlement in settlements.iter().filter(|_| dead) {
            if let Settle::DeadLetter(letter) = &settlement.settle
                && let Err(error) = self.bury(settlement, letter).await
            {
                failed.push((settlement.clone(), error));
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(SettleError { failed }) }
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
