//! The receiving half of a membership.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use jitney_core::Error;
use jitney_core::transport::{Delivery, Demand, Source, SourceEvent, Token};

use crate::member::Member;

/// The most deliveries that are handed out at once: as many as SQS gives at once.
pub(crate) const MAX_BATCH: usize = 10;

/// How long a delivery is the reader's at least: less than it is hidden from others, since it may have waited here.
pub(crate) fn settle_within(visibility: Duration) -> Duration {
    visibility * 2 / 3
}

/// Receives what is delivered to one member; dropping it ends the membership.
pub(crate) struct SqsSource {
    member: Arc<Member>,
}

impl SqsSource {
    pub(crate) fn new(member: Arc<Member>) -> Self {
        SqsSource { member }
    }

    /// What is ready, as far as `demand` goes.
    fn take(&self, demand: Demand) -> Vec<Delivery> {
        let least = self.member.env.instant() + settle_within(self.member.queue.visibility);
        let mut state = self.member.lock();
        let mut bytes = demand.bytes;
        let mut deliveries = Vec::new();
        while deliveries.len() < demand.events.min(MAX_BATCH) {
            // The first one may be larger than what is wanted.
            let most = if deliveries.is_empty() { usize::MAX } else { bytes };
            let Some((number, held)) = state.hand_out(least, most) else { break };
            bytes = bytes.saturating_sub(held.message.size());
            let token = Token { epoch: self.member.epoch, number };
            deliveries.push(Delivery::new(held.message, token).attempt(held.attempt));
        }
        deliveries
    }
}

impl Source for SqsSource {
    fn poll_next(&mut self, cx: &mut Context<'_>, demand: Demand) -> Poll<Result<SourceEvent, Error>> {
        self.member.task.register(cx.waker());
        let wanted = if demand.wants_deliveries() { demand.events } else { 0 };
        let is_more_wanted = {
            let mut state = self.member.lock();
            if let Some(news) = state.news.pop_front() {
                return Poll::Ready(news);
            }
            state.want(wanted)
        };
        if is_more_wanted {
            self.member.driver.notify_one();
        }
        if wanted == 0 {
            return Poll::Pending;
        }
        let deliveries = self.take(demand);
        match deliveries.is_empty() {
            true => Poll::Pending,
            false => Poll::Ready(Ok(SourceEvent::Deliveries(deliveries))),
        }
    }
}

impl Drop for SqsSource {
    fn drop(&mut self) {
        self.member.leave();
    }
}

impl fmt::Debug for SqsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsSource").field("group", &self.member.group).finish_non_exhaustive()
    }
}
