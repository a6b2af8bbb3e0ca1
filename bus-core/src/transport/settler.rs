//! The answering half of a subscription.

use std::time::Duration;

use async_trait::async_trait;

use super::{Epoch, Token};
use crate::Error;
use crate::dead_letter::DeadLetter;
use crate::message::Outbound;

/// Is told what became of each delivery.
#[async_trait]
pub trait Settler: Send + Sync {
    /// Settles deliveries. Tokens of an older epoch, and tokens that were settled before, are ignored. When this
    /// returns `Ok`, every dead letter among them is stored.
    ///
    /// Where the subscription is [`exactly_once`](super::Subscription::exactly_once), a settlement, its outputs and its
    /// dead letter become visible as one, and this returns when that is done: not before everything that came earlier in
    /// the partition is settled too. What waits for that ends without effect when the partition moves, or is
    /// [released](Self::release), or the member [leaves](Self::leave).
    ///
    /// # Errors
    ///
    /// Names those that could not be settled. They stay with this member, who may settle them again; if it does not,
    /// the broker delivers them again when the member goes, or after its own time-out. An error of kind
    /// [`Rejected`](crate::ErrorKind::Rejected) that is not retryable says that outputs will never be stored: the
    /// dispatcher then settles the delivery as a dead letter. When one fails, those of the same call that still
    /// wait fail with it: they may wait for it, and it is settled again only when the call has returned.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open which of the deliveries were settled.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), SettleError>;

    /// Says that these deliveries are still being worked on, for backends that take them back otherwise.
    ///
    /// # Errors
    ///
    /// When the broker did not hear it.
    async fn keep_alive(&self, tokens: &[Token]) -> Result<(), Error>;

    /// Says that nothing of `epoch` will be settled any more, so that it can be handed over, after
    /// [`SourceEvent::Revoking`](super::SourceEvent::Revoking). Where the subscription is
    /// [`exactly_once`](super::Subscription::exactly_once), settlements may still wait: those that can be carried out
    /// are, and the others end.
    async fn release(&self, epoch: Epoch);

    /// Leaves the group: what is not settled is delivered again, to others or later. Settlements that wait are dealt with
    /// as by [`release`](Self::release).
    ///
    /// # Errors
    ///
    /// When the broker could not be told; it will find out by itself.
    async fn leave(&self, limit: Duration) -> Result<(), Error>;
}

/// What became of one delivery.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settlement {
    /// Which one.
    pub token: Token,
    /// What is to be done with it.
    pub settle: Settle,
    /// What is to be stored in one transaction with it; only for subscriptions that are
    /// [`exactly_once`](super::Subscription::exactly_once).
    pub outputs: Vec<Outbound>,
}

impl Settlement {
    /// Has `settle` done with the delivery of `token`.
    pub fn new(token: Token, settle: Settle) -> Self {
        Settlement { token, settle, outputs: Vec::new() }
    }

    /// The same, storing `outputs` with it.
    #[must_use]
    pub fn with_outputs(mut self, outputs: Vec<Outbound>) -> Self {
        self.outputs = outputs;
        self
    }
}

/// What is to be done with a delivery.
#[derive(Debug, Clone)]
pub enum Settle {
    /// It is done.
    Ack,
    /// Deliver it again, where the backend can hold it back: not before `after` has passed.
    Retry {
        /// At least so long.
        after: Duration,
    },
    /// Store it beside, and then it is done; when it cannot be stored, it is not done.
    DeadLetter(Box<DeadLetter>),
}

/// Some deliveries could not be settled.
#[derive(Debug)]
pub struct SettleError {
    /// Which ones, and why; they are given back to be tried again.
    pub failed: Vec<(Settlement, Error)>,
}
