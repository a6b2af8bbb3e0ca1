//! What was fetched and is not settled yet: the budget that holds a group back.

use std::collections::{BTreeMap, BTreeSet};

use crate::transport::{Delivery, Demand, Epoch, Token};

use super::Limits;
use super::process::Decided;

/// Fetched and not settled, by epoch.
pub(super) struct InFlight {
    limits: Limits,
    total: Load,
    by_epoch: BTreeMap<Epoch, Load>,
    /// Kept only where the broker wants to hear that they are still worked on.
    tokens: Option<BTreeSet<Token>>,
    /// Whether settlements wait for each other: for what came earlier, which may have been dropped, and then in vain.
    waits: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Load {
    events: usize,
    bytes: usize,
    /// Events that are decided and with the settler, where settlements wait for each other.
    handed_over: usize,
}

impl InFlight {
    pub(super) fn new(limits: Limits, keep_alive: bool, waits: bool) -> Self {
        InFlight {
            limits,
            total: Load::default(),
            by_epoch: BTreeMap::new(),
            tokens: keep_alive.then(BTreeSet::new),
            waits,
        }
    }

    pub(super) fn add(&mut self, delivery: &Delivery) {
        let bytes = delivery.message.size();
        self.total.add(bytes);
        self.by_epoch.entry(delivery.epoch).or_default().add(bytes);
        if let Some(tokens) = &mut self.tokens {
            tokens.insert(delivery.token);
        }
    }

    /// A delivery of `bytes` is settled or dropped; of an epoch that was forgotten, it was counted off already.
    pub(super) fn remove(&mut self, token: Token, bytes: usize) {
        if let Some(tokens) = &mut self.tokens {
            tokens.remove(&token);
        }
        if let Some(load) = self.by_epoch.get_mut(&token.epoch) {
            load.remove(bytes);
            self.total.remove(bytes);
            if load.events == 0 {
                self.by_epoch.remove(&token.epoch);
            }
        }
    }

    /// The settler is told what was decided, and settles it when it can.
    pub(super) fn hand_over(&mut self, decided: &[Decided]) {
        for decided in decided.iter().take_while(|_| self.waits) {
            if let Some(load) = self.by_epoch.get_mut(&decided.token.epoch) {
                load.handed_over += 1;
            }
        }
    }

    /// The settler is done with these: they are settled, or are to be settled again.
    pub(super) fn hand_back<'t>(&mut self, tokens: impl Iterator<Item = &'t Token>) {
        for token in tokens.take_while(|_| self.waits) {
            if let Some(load) = self.by_epoch.get_mut(&token.epoch) {
                load.handed_over = load.handed_over.saturating_sub(1);
            }
        }
    }

    /// Whether there is anything of `epoch`, or of any, to be waited for: where settlements wait for each other, what the
    /// settler does not have yet.
    pub(super) fn has_work(&self, epoch: Option<Epoch>) -> bool {
        match epoch {
            Some(epoch) => self.by_epoch.get(&epoch).is_some_and(Load::has_work),
            None => self.by_epoch.values().any(Load::has_work),
        }
    }

    /// Forgets everything of `epoch`.
    pub(super) fn forget(&mut self, epoch: Epoch) {
        if let Some(load) = self.by_epoch.remove(&epoch) {
            self.total.events = self.total.events.saturating_sub(load.events);
            self.total.bytes = self.total.bytes.saturating_sub(load.bytes);
        }
        if let Some(tokens) = &mut self.tokens {
            tokens.retain(|token| token.epoch != epoch);
        }
    }

    pub(super) fn events(&self) -> usize {
        self.total.events
    }

    pub(super) fn tokens(&self) -> Vec<Token> {
        self.tokens.iter().flatten().copied().collect()
    }

    /// What may still be fetched.
    pub(super) fn demand(&self) -> Demand {
        Demand {
            events: self.limits.events.saturating_sub(self.total.events),
            bytes: self.limits.bytes.saturating_sub(self.total.bytes),
        }
    }
}

impl Load {
    fn has_work(&self) -> bool {
        self.events > self.handed_over
    }

    fn add(&mut self, bytes: usize) {
        self.events += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.events = self.events.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
