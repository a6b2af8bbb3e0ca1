//! The receiving half of a subscription.

use std::task::{Context, Poll};
use std::time::Duration;

use super::{Delivery, Epoch};
use crate::Error;

/// Hands out deliveries, and says when some of them are taken away.
///
/// It is polled and not awaited, so that nothing is lost when its reader turns to something else. A backend with
/// an asynchronous client feeds a channel and polls that.
pub trait Source: Send {
    /// The next thing that happened. With a `demand` of nothing only control events come; deliveries wait.
    ///
    /// An error that is retryable is passed on once per interruption, and the source goes on by itself; after any
    /// other error the source has ended.
    fn poll_next(&mut self, cx: &mut Context<'_>, demand: Demand) -> Poll<Result<SourceEvent, Error>>;
}

/// How much may be handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// At most so many deliveries.
    pub events: usize,
    /// About so many bytes; a single delivery may be larger.
    pub bytes: usize,
}

impl Demand {
    /// Control events only.
    pub const NOTHING: Demand = Demand { events: 0, bytes: 0 };

    /// Whether deliveries may come.
    pub fn wants_deliveries(&self) -> bool {
        self.events > 0 && self.bytes > 0
    }
}

/// What a source has to tell.
#[derive(Debug)]
pub enum SourceEvent {
    /// Messages, each to be settled.
    Deliveries(Vec<Delivery>),
    /// The deliveries of `epoch` are about to be handed to another member: what is not settled within `limit` will
    /// be delivered again, there. Answered by [`Settler::release`](super::Settler::release).
    Revoking {
        /// Whose deliveries.
        epoch: Epoch,
        /// How long work in flight may still take.
        limit: Duration,
    },
    /// The deliveries of `epoch` are with another member already; settling them has no effect.
    Lost {
        /// Whose deliveries.
        epoch: Epoch,
    },
    /// No more will come.
    Closed,
}
