//! The answering half of a subscription.

use std::time::Duration;

use async_trait::async_trait;

use super::{Epoch, Token};
use crate::Error;
use crate::dead_letter::DeadLetter;

/// Is told what became of each delivery.
#[async_trait]
pub trait Settler: Send + Sync {
    /// Settles deliveries. Tokens of an older epoch, and tokens that were settled before, are ignored. When this
    /// returns `Ok`, every dead letter among them is stored.
    ///
    /// # Errors
    ///
    /// Names those that could not be settled: the broker will deliver them again.
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
    /// [`SourceEvent::Revoking`](super::SourceEvent::Revoking).
    async fn release(&self, epoch: Epoch);

    /// Leaves the group: what is not settled is delivered again, to others or later.
    ///
    /// # Errors
    ///
    /// When the broker could not be told; it will find out by itself.
    async fn leave(&self, limit: Duration) -> Result<(), Error>;
}

/// What became of one delivery.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Which one.
    pub token: Token,
    /// What is to be done with it.
    pub settle: Settle,
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
