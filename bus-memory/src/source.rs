//! The receiving half of a membership.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use jitney_core::Error;
use jitney_core::transport::{Demand, Source, SourceEvent};
use tokio::time::Instant;

use crate::state::{Locked, Shared};

/// Receives what is delivered to one member; dropping it ends the membership.
pub(crate) struct MemorySource {
    shared: Arc<Shared>,
    group: usize,
    member: u64,
    /// Wakes this member when something is due.
    timer: Option<Timer>,
}

struct Timer {
    due: Instant,
    sleep: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What a look at the state has given.
enum Look {
    Found(SourceEvent),
    /// Nothing, until something comes or the time is there.
    Wait(Option<Instant>),
}

impl MemorySource {
    pub(crate) fn new(shared: Arc<Shared>, group: usize, member: u64) -> Self {
        MemorySource { shared, group, member, timer: None }
    }

    fn look(&self, locked: &mut Locked<'_>, cx: &Context<'_>, demand: Demand) -> Look {
        let Some((group, mut context)) = locked.group(self.group) else {
            return Look::Found(SourceEvent::Closed);
        };
        if group.members.get(self.member).is_none() {
            return Look::Found(SourceEvent::Closed);
        }
        if let Some(due) = group.due() {
            let now = context.env.instant();
            if due <= now {
                group.advance(now, &mut context);
            }
        }
        if let Some(news) = group.members.get(self.member).and_then(|member| member.next_news()) {
            return Look::Found(news);
        }
        let mut stuck = false;
        if demand.wants_deliveries() {
            let (deliveries, more) = group.take(self.member, demand, &mut context);
            if !deliveries.is_empty() {
                return Look::Found(SourceEvent::Deliveries(deliveries));
            }
            stuck = more;
        }
        if let Some(member) = group.members.get(self.member) {
            member.wait(cx, demand.wants_deliveries(), stuck);
        }
        Look::Wait(group.due())
    }

    /// Whether `due` is there, or arranges to be woken then.
    fn is_due(&mut self, due: Instant, cx: &mut Context<'_>) -> bool {
        let timer = match &mut self.timer {
            Some(timer) if timer.due == due => timer,
            timer => {
                let env = self.shared.env.clone();
                let limit = due.saturating_duration_since(env.instant());
                timer.insert(Timer { due, sleep: Box::pin(async move { env.sleep(limit).await }) })
            }
        };
        let is_due = timer.sleep.as_mut().poll(cx).is_ready();
        if is_due {
            self.timer = None;
        }
        is_due
    }
}

impl Source for MemorySource {
    fn poll_next(&mut self, cx: &mut Context<'_>, demand: Demand) -> Poll<Result<SourceEvent, Error>> {
        loop {
            let shared = self.shared.clone();
            match shared.with(|locked| self.look(locked, cx, demand)) {
                Look::Found(event) => return Poll::Ready(Ok(event)),
                Look::Wait(None) => return Poll::Pending,
                Look::Wait(Some(due)) if self.is_due(due, cx) => {}
                Look::Wait(Some(_)) => return Poll::Pending,
            }
        }
    }
}

impl Drop for MemorySource {
    fn drop(&mut self) {
        self.shared.with(|locked| locked.leave(self.group, self.member));
    }
}

impl fmt::Debug for MemorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySource").field("group", &self.group).field("member", &self.member).finish()
    }
}
