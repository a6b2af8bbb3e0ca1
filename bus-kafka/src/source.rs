//! The receiving half of a membership: partition queues are read in the reader's own task, without a thread between.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use jiff::Timestamp;
use jitney_core::transport::{Demand, Source, SourceEvent};
use jitney_core::{Env, Error};

use crate::member::{Member, State};
use crate::partition::{Budget, Interruption};

/// The most deliveries that are handed out at once.
const MAX_BATCH: usize = 512;

/// Receives what is delivered to one member; dropping it ends the membership.
pub(crate) struct KafkaSource {
    member: Arc<Member>,
    prefetch: usize,
    /// Wakes the reader when a delivery is due.
    timer: Option<Timer>,
}

struct Timer {
    due: Timestamp,
    sleep: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What a look at the state has given.
enum Look {
    Found(Result<SourceEvent, Error>),
    /// Nothing, until something comes or the time is there.
    Wait(Option<Timestamp>),
}

impl KafkaSource {
    pub(crate) fn new(member: Arc<Member>, prefetch: usize) -> Self {
        KafkaSource { member, prefetch: prefetch.max(1), timer: None }
    }

    fn env(&self) -> &Env {
        &self.member.cluster.env
    }

    fn look(&self, demand: Demand) -> Look {
        let mut state = self.member.lock();
        if let Some(news) = state.news.pop_front() {
            return Look::Found(news);
        }
        if !demand.wants_deliveries() {
            return Look::Wait(None);
        }
        match self.take(&mut state, demand) {
            Some(found) => Look::Found(found),
            None => Look::Wait(state.partitions.values().filter_map(|partition| partition.due()).min()),
        }
    }

    fn take(&self, state: &mut State, demand: Demand) -> Option<Result<SourceEvent, Error>> {
        let mut budget = Budget::new(demand, self.prefetch.saturating_sub(state.unsettled).min(MAX_BATCH));
        let mut deliveries = Vec::new();
        for _ in 0..state.turns.len() {
            if budget.is_spent() {
                break;
            }
            let Some(epoch) = state.turns.pop_front() else { break };
            state.turns.push_back(epoch);
            let Some(partition) = state.partitions.get_mut(&epoch) else { continue };
            let before = deliveries.len();
            let taken = partition.take(|| self.env().now(), &mut budget, &mut deliveries);
            state.unsettled += deliveries.len() - before;
            match taken {
                Ok(()) => {}
                Err(Interruption::Failed(error)) => {
                    state.news.push_back(Err(error));
                    break;
                }
                Err(Interruption::WentBack) => {
                    state.restart(epoch);
                    break;
                }
            }
        }
        // Asked for nothing, or everything: what is settled next makes room, in the window of a partition too.
        state.is_full = true;
        state.is_interrupted &= deliveries.is_empty();
        match deliveries.is_empty() {
            false => Some(Ok(SourceEvent::Deliveries(deliveries))),
            true => state.news.pop_front(),
        }
    }

    /// Whether `due` is there, or arranges to be woken then.
    fn is_due(&mut self, due: Timestamp, cx: &mut Context<'_>) -> bool {
        let timer = match &mut self.timer {
            Some(timer) if timer.due == due => timer,
            timer => {
                let env = self.member.cluster.env.clone();
                let wait = due.duration_since(env.now()).try_into().unwrap_or_default();
                timer.insert(Timer { due, sleep: Box::pin(async move { env.sleep(wait).await }) })
            }
        };
        let is_due = timer.sleep.as_mut().poll(cx).is_ready();
        if is_due {
            self.timer = None;
        }
        is_due
    }
}

impl Source for KafkaSource {
    fn poll_next(&mut self, cx: &mut Context<'_>, demand: Demand) -> Poll<Result<SourceEvent, Error>> {
        self.member.task.register(cx.waker());
        loop {
            match self.look(demand) {
                Look::Found(event) => return Poll::Ready(event),
                Look::Wait(None) => return Poll::Pending,
                Look::Wait(Some(due)) if self.is_due(due, cx) => {}
                Look::Wait(Some(_)) => return Poll::Pending,
            }
        }
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        drop(self.member.leave());
    }
}

impl fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSource").field("group", &self.member.group).finish_non_exhaustive()
    }
}
