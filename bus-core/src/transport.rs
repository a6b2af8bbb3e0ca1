//! The one trait that a backend implements, and the two halves of a subscription.
//!
//! A [`Transport`] publishes batches and opens subscriptions. A subscription is a [`Source`], which hands out
//! deliveries and says when partitions are taken away, and a [`Settler`], which is told what became of each
//! delivery. Codecs, retries, lanes and deduplication are not a backend's business.

mod delivery;
mod offset_tracker;
mod settler;
mod source;
mod subscription;

pub use delivery::{Delivery, Epoch, Position, Token};
pub use offset_tracker::OffsetTracker;
pub use settler::{Settle, SettleError, Settlement, Settler};
pub use source::{Demand, Source, SourceEvent};
pub use subscription::{Interest, Mode, PartitionPosition, Start, Subscribed, Subscription};

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::admin::Admin;
use crate::codec::{Codec, NativeJson};
use crate::message::Outbound;
use crate::{Capabilities, Error, ErrorKind};

/// A backend: publishes messages and delivers them to groups.
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// What this backend can do.
    fn capabilities(&self) -> &Capabilities;

    /// Where this transport leads, for messages to people: a URL without credentials.
    fn describe(&self) -> String;

    /// The codec of this backend's own wire format.
    fn codec(&self) -> Arc<dyn Codec> {
        Arc::new(NativeJson)
    }

    /// Stores the messages, answering one outcome for each in the order of `batch`. Waits while buffers are
    /// full; never drops. Messages of one key are stored in the order of the batch, and of the calls, where the
    /// backend is ordered.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the outcome of every message unknown.
    async fn publish(&self, batch: Vec<Outbound>) -> Vec<Published>;

    /// Stores one message; a backend overrides it where that is cheaper than a batch of one.
    async fn publish_one(&self, message: Outbound) -> Published {
        let outcome = self.publish(vec![message]).await.pop();
        outcome.expect("a transport answers one outcome for each message")
    }

    /// Stores all of the messages or none of them: readers see them together, in whatever topics they are.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the outcome unknown; it is the same one for all messages.
    async fn publish_atomically(&self, batch: Vec<Outbound>) -> Published {
        let what = format!(
            "publishing {} messages as one: {} has no transactions; publish them one by one, or through an outbox",
            batch.len(),
            self.describe(),
        );
        Published::Rejected(Error::new(ErrorKind::Unsupported, what))
    }

    /// Joins the group of `subscription`.
    ///
    /// # Errors
    ///
    /// When the topics do not exist, the broker does not answer, or the backend cannot do what is asked for.
    async fn subscribe(&self, subscription: Subscription) -> Result<Subscribed, Error>;

    /// Topics, positions and lag, where the backend has them.
    fn admin(&self) -> Option<&dyn Admin> {
        None
    }

    /// Sends what is buffered and ends connections, within `limit`. Publishing afterwards is an error.
    ///
    /// # Errors
    ///
    /// When something buffered could not be sent.
    async fn close(&self, limit: Duration) -> Result<(), Error>;
}

/// What became of one message that was published.
#[derive(Debug)]
#[must_use]
pub enum Published {
    /// The broker has it, durably as far as the backend goes.
    Acked,
    /// The broker does not have it.
    Rejected(Error),
    /// The broker may or may not have it: it did not answer in time.
    Unknown(Error),
}

impl Published {
    /// `Ok` where the broker has the message.
    ///
    /// # Errors
    ///
    /// The error of a message that was rejected, or whose fate is unknown.
    pub fn into_result(self) -> Result<(), Error> {
        match self {
            Published::Acked => Ok(()),
            Published::Rejected(error) | Published::Unknown(error) => Err(error),
        }
    }
}
