//! Deliveries whose codec lacks something to decode them by: each waits until it is there, and what is behind it in its
//! lane waits with it.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use rapidhash::RapidHashMap;

use super::Group;
use super::lanes::LaneId;
use crate::codec::Preparation;
use crate::message::Message;
use crate::middleware::RetryPolicy;
use crate::transport::{Delivery, Token};
use crate::{Error, ErrorKind, error_chain, panic_message};

/// How long is waited before what is lacking is asked for again.
const AGAIN: RetryPolicy = RetryPolicy {
    attempts: u32::MAX,
    from: Duration::from_millis(100),
    to: Duration::from_secs(10),
    delayed: false,
};

/// What became of the wait of one delivery.
struct Waited {
    lane: LaneId,
    token: Token,
    outcome: Outcome,
}

enum Outcome {
    Prepared(Result<(), Error>),
    /// It was not waited for: what was before it in its lane is gone.
    First,
}

/// A delivery whose turn it is.
pub(super) struct Released {
    pub(super) delivery: Delivery,
    /// Whether it could be prepared; none where that was not tried.
    pub(super) prepared: Option<Result<(), Error>>,
}

/// The deliveries of one group that wait for their codec. A delivery of a lane in which one waits already is handed in behind it.
pub(super) struct Held {
    group: Arc<Group>,
    queues: RapidHashMap<LaneId, VecDeque<Delivery>>,
    waits: FuturesUnordered<BoxFuture<'static, Waited>>,
}

impl Held {
    pub(super) fn new(group: Arc<Group>) -> Self {
        Held { group, queues: RapidHashMap::default(), waits: FuturesUnordered::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Whether something waits in `lane`.
    pub(super) fn has(&self, lane: LaneId) -> bool {
        self.queues.contains_key(&lane)
    }

    /// Puts `delivery` behind those that wait in `lane`.
    pub(super) fn add(&mut self, lane: LaneId, delivery: Delivery) {
        self.queues.entry(lane).or_default().push_back(delivery);
    }

    /// Puts `delivery` first in `lane`, and begins its `preparation`.
    pub(super) fn hold(&mut self, lane: LaneId, delivery: Delivery, preparation: Preparation) {
        let (token, message) = (delivery.token, Arc::clone(&delivery.message));
        self.queues.entry(lane).or_default().push_front(delivery);
        let prepared = prepared(Arc::clone(&self.group), message, preparation);
        let waited = prepared.map(move |result| Waited { lane, token, outcome: Outcome::Prepared(result) });
        self.waits.push(Box::pin(waited));
    }

    /// The next delivery whose turn it is, with its lane; whoever takes it goes on with [`next`](Self::next) of the lane.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Option<(LaneId, Released)> {
        while let Poll::Ready(Some(Waited { lane, token, outcome })) = self.waits.poll_next_unpin(cx) {
            let is_first =
                |queue: &VecDeque<Delivery>| queue.front().is_some_and(|first| first.token == token);
            // Otherwise it was dropped meanwhile.
            if self.queues.get(&lane).is_some_and(is_first)
                && let Some(delivery) = self.next(lane)
            {
                let prepared = match outcome {
                    Outcome::Prepared(result) => Some(result),
                    Outcome::First => None,
                };
                return Some((lane, Released { delivery, prepared }));
            }
        }
        None
    }

    /// Takes the next delivery that waits in `lane`; the lane is no longer held where there is none.
    pub(super) fn next(&mut self, lane: LaneId) -> Option<Delivery> {
        let next = self.queues.get_mut(&lane)?.pop_front();
        if next.is_none() {
            self.queues.remove(&lane);
        }
        next
    }

    /// Drops what waits, where `unwanted` says so.
    pub(super) fn drop_queued(
        &mut self,
        unwanted: impl Fn(&Delivery) -> bool,
        dropped: &mut impl FnMut(&Delivery),
    ) {
        let waits = &mut self.waits;
        self.queues.retain(|&lane, queue| {
            let before = queue.front().map(|first| first.token);
            queue.retain(|delivery| {
                let drop = unwanted(delivery);
                if drop {
                    dropped(delivery);
                }
                !drop
            });
            let first = queue.front().map(|first| first.token);
            if let Some(token) = first.filter(|_| first != before) {
                waits.push(Box::pin(async move { Waited { lane, token, outcome: Outcome::First } }));
            }
            first.is_some()
        });
        if self.queues.is_empty() {
            self.waits.clear();
        }
    }
}

/// Waits until `message` can be decoded or never can: what may succeed later is tried again.
async fn prepared(
    group: Arc<Group>,
    message: Arc<Message>,
    mut preparation: Preparation,
) -> Result<(), Error> {
    let mut failed = 0;
    loop {
        let outcome = AssertUnwindSafe(preparation).catch_unwind().await.unwrap_or_else(|panic| {
            let codec = group.bus.codec();
            let what =
                format!("preparing to decode: the codec {codec:?} panicked: {}", panic_message(&*panic));
            Err(Error::new(ErrorKind::Decode, what))
        });
        let Err(error) = outcome else { return Ok(()) };
        if !error.is_retryable() {
            return Err(error);
        }
        failed += 1;
        let (topic, error, what) =
            (&*message.topic, error_chain(&error), "a message cannot be decoded yet, and waits");
        // Once where somebody looks, and not for each of many attempts.
        match failed {
            1 => tracing::warn!(group = group.name, topic, error, "{what}"),
            _ => tracing::debug!(group = group.name, topic, error, failed, "{what}"),
        }
        group.bus.env().sleep(AGAIN.delay(group.bus.env(), failed)).await;
        // Another message's wait may have brought it.
        let Some(next) = group.bus.codec().prepare(&message) else { return Ok(()) };
        preparation = next;
    }
}
