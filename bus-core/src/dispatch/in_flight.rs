//! What was fetched and is not settled yet: the budget that holds a group back.

use std::collections::{BTreeMap, BTreeSet};

use crate::transport::{Delivery, Demand, Epoch, Token};

use super::Limits;

/// Fetched and not settled, by epoch.
pub(super) struct InFlight {
    limits: Limits,
    total: Load,
    by_epoch: BTreeMap<Epoch, Load>,
    /// Kept only where the broker wants to hear that they are still worked on.
    tokens: Option<BTreeSet<Token>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Load {
    events: usize,
    bytes: usize,
}

impl InFlight {
    pub(super) fn new(limits: Limits, keep_alive: bool) -> Self {
        InFlight {
            limits,
            total: Load::default(),
            by_epoch: BTreeMap::new(),
            tokens: keep_alive.then(BTreeSet::new),
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

    pub(super) fn has(&self, epoch: Epoch) -> bool {
        self.by_epoch.contains_key(&epoch)
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
    fn add(&mut self, bytes: usize) {
        self.events += 1;
        self.bytes += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.events = self.events.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
