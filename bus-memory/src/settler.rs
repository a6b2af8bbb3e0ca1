//! The answering half of a membership.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::Error;
use jitney_core::dead_letter;
use jitney_core::transport::{Epoch, Settle, SettleError, Settlement, Settler, Token};

use crate::error;
use crate::state::{Locked, Shared};

/// After so long a delivery comes again whose dead letter could not be stored.
const UNBURIED_PAUSE: Duration = Duration::from_millis(100);

/// The transport was closed.
struct Closed;

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
        let has_faults = locked.shared.dice.on_deliveries();
        let Some((group, mut cx)) = locked.group(self.group) else { return };
        let may_be_lost = has_faults && !matches!(settle, Settle::Retry { .. });
        if !(may_be_lost && group.ack_is_lost(self.member, token, &mut cx)) {
            group.settle(self.member, token, settle, &mut cx);
        }
    }

    /// Whether a fault kills this member before it settles anything.
    fn crashes(&self, locked: &mut Locked<'_>, settlements: &[Settlement]) -> bool {
        locked.shared.dice.on_deliveries()
            && locked.group(self.group).is_some_and(|(group, mut cx)| {
                settlements
                    .iter()
                    .any(|settlement| group.member_crashes(self.member, settlement.token, &mut cx))
            })
    }

    /// Settles all but dead letters. Answers whether there are some.
    fn settle_at_once(&self, locked: &mut Locked<'_>, settlements: &[Settlement]) -> Result<bool, Closed> {
        if locked.state.is_closed {
            return Err(Closed);
        }
        if self.crashes(locked, settlements) {
            return Ok(false);
        }
        let mut dead = false;
        for Settlement { token, settle } in settlements {
            match settle {
                Settle::DeadLetter(_) => dead = true,
                Settle::Ack | Settle::Retry { .. } => self.settle_one(locked, *token, settle),
            }
        }
        Ok(dead)
    }

    /// Stores a dead letter, waiting for room, and then settles its delivery; it comes again where that fails.
    async fn bury(&self, settlement: &Settlement, letter: &dead_letter::DeadLetter) -> Result<(), Error> {
        let token = settlement.token;
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
        let message = letter.to_message(topic);
        let stored = self.shared.store(message).await.into_result();
        let settle =
            if stored.is_ok() { &settlement.settle } else { &Settle::Retry { after: UNBURIED_PAUSE } };
        self.shared.with(|locked| self.settle_one(locked, token, settle));
        stored
    }
}

#[async_trait]
impl Settler for MemorySettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        let Ok(dead) = self.shared.with(|locked| self.settle_at_once(locked, &settlements)) else {
            let failed = |settlement: &Settlement| (settlement.token, error::closed("settling a delivery"));
            return Err(SettleError { failed: settlements.iter().map(failed).collect() });
        };
        let mut failed = Vec::new();
        for settlement in settlements.iter().filter(|_| dead) {
            if let Settle::DeadLetter(letter) = &settlement.settle
                && let Err(error) = self.bury(settlement, letter).await
            {
                failed.push((settlement.token, error));
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
