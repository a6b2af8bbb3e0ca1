//! The receiving half of a membership: the client's deliveries are read in the reader's own task.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use jitney_core::transport::{Demand, Epoch, Source, SourceEvent};
use jitney_core::{Env, Error, ErrorKind};
use tokio::time::Instant;

use crate::consumer::{Budget, Consumer, Opened, patience};
use crate::error;
use crate::member::{Member, State};

/// Receives what is delivered to one member; dropping it ends the membership.
pub(crate) struct RabbitMqSource {
    member: Arc<Member>,
    /// Consume again, after an interruption.
    reopening: Vec<Reopening>,
    /// Asks how many partitions this member may read, where there are several.
    asking: Option<Asking>,
    /// When it is asked next.
    ask_at: Instant,
    /// Wakes the reader at a time.
    timer: Option<Timer>,
    has_ended: bool,
}

type Reopening = Pin<Box<dyn Future<Output = Result<Opened, Error>> + Send>>;

type Asking = Pin<Box<dyn Future<Output = Result<usize, Error>> + Send>>;

/// How often a member sees whether it reads more partitions than its share.
const BALANCE_EVERY: Duration = Duration::from_secs(3);

struct Timer {
    at: Instant,
    sleep: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl RabbitMqSource {
    pub(crate) fn new(member: Arc<Member>) -> Self {
        let ask_at = member.link.env.instant() + BALANCE_EVERY;
        RabbitMqSource { member, reopening: Vec::new(), asking: None, ask_at, timer: None, has_ended: false }
    }

    fn env(&self) -> &Env {
        &self.member.link.env
    }

    /// Takes in what has arrived, and notices consumers that have ended or are to end.
    fn receive(&mut self, cx: &mut Context<'_>) {
        let member = Arc::clone(&self.member);
        let (env, config) = (&member.link.env, &member.link.config);
        let mut state = member.lock();
        let mut ended = Vec::new();
        let mut news = Vec::new();
        for (epoch, consumer) in &mut state.consumers {
            if let Err(why) = consumer.receive(cx, || env.instant()) {
                ended.push((*epoch, Some(why)));
                continue;
            }
            match (consumer.revoked, consumer.oldest()) {
                (Some(until), _) if until <= env.instant() || consumer.unsettled() == 0 => {
                    ended.push((*epoch, None))
                }
                (None, Some(since)) if since + patience(config.consumer_timeout) <= env.instant() => {
                    news.push(member.revoke(consumer));
                }
                _ => {}
            }
        }
        state.news.extend(news);
        for (epoch, why) in ended {
            self.end(&mut state, epoch, why);
        }
    }

    /// Ends a consumer, and begins anew.
    fn end(&mut self, state: &mut State, epoch: Epoch, why: Option<Option<lapin::Error>>) {
        let Some(consumer) = state.consumers.remove(&epoch) else { return };
        let partition = consumer.partition;
        self.member.let_go(consumer.end());
        state.news.push_back(Ok(SourceEvent::Lost { epoch }));
        if let Some(why) = why
            && !std::mem::replace(&mut state.is_interrupted, true)
        {
            let doing = format!("reading for group `{}`", self.member.group);
            let error = match why {
                Some(error) => error::failed(&doing, &error),
                None => Error::new(
                    ErrorKind::Transport,
                    format!("{doing}: its queue was deleted; it is declared again"),
                ),
            };
            // Whatever the server complained of, the next channel may do: what it says then is final.
            state.news.push_back(Err(error.retryable(true)));
        }
        self.reopening.push(Box::pin(Arc::clone(&self.member).reopen(partition)));
    }

    /// Goes on with consuming again. Answers the error where that will never be.
    fn reopen(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let mut at = 0;
        while let Some(reopening) = self.reopening.get_mut(at) {
            match reopening.as_mut().poll(cx) {
                Poll::Pending => at += 1,
                Poll::Ready(opened) => {
                    drop(self.reopening.swap_remove(at));
                    self.member.add(opened?);
                }
            }
        }
        Ok(())
    }

    /// Gives up partitions that are more than this member's share, where others stand by. Answers whether it did.
    fn balance(&mut self, cx: &mut Context<'_>) -> bool {
        let now = self.env().instant();
        if self.member.partitions() == 1 {
            return false;
        }
        if self.asking.is_none() && self.ask_at <= now {
            self.ask_at = now + BALANCE_EVERY;
            self.asking = Some(Box::pin(Arc::clone(&self.member).share()));
        }
        let Some(asking) = &mut self.asking else { return false };
        let Poll::Ready(share) = asking.as_mut().poll(cx) else { return false };
        self.asking = None;
        // Where it cannot be told, everything stays as it is.
        let Ok(share) = share else { return false };
        let mut state = self.member.lock();
        let mut news = Vec::new();
        let read =
            state.consumers.values_mut().filter(|consumer| consumer.has_read() && consumer.revoked.is_none());
        for consumer in read.skip(share) {
            news.push(self.member.revoke(consumer));
        }
        state.news.extend(news);
        !state.news.is_empty()
    }

    fn look(&self, demand: Demand) -> Option<Result<SourceEvent, Error>> {
        let mut state = self.member.lock();
        if let Some(news) = state.news.pop_front() {
            return Some(news);
        }
        if state.is_over {
            return Some(Ok(SourceEvent::Closed));
        }
        let mut deliveries = Vec::new();
        if demand.wants_deliveries() {
            let handed_out: usize = state.consumers.values().map(Consumer::handed_out).sum();
            let mut budget = Budget::new(demand, self.member.prefetch().saturating_sub(handed_out));
            for consumer in state.consumers.values_mut() {
                consumer.take(|| self.env().now(), &mut budget, &mut deliveries);
            }
        }
        if deliveries.is_empty() {
            return None;
        }
        state.is_interrupted = false;
        Some(Ok(SourceEvent::Deliveries(deliveries)))
    }

    /// When there is something to do though nothing arrives.
    fn next_time(&self, demand: Demand) -> Option<Instant> {
        let env = self.env();
        let mut state = self.member.lock();
        let patience = patience(self.member.link.config.consumer_timeout);
        let mut times = Vec::new();
        times.push((self.member.partitions() > 1 && self.asking.is_none()).then_some(self.ask_at));
        for consumer in state.consumers.values_mut() {
            times.push(match consumer.revoked {
                Some(until) => Some(until),
                None => consumer.oldest().map(|since| since + patience),
            });
            let due = consumer.due().filter(|_| demand.wants_deliveries());
            times.push(due.map(|due| {
                let wait: Duration = due.duration_since(env.now()).try_into().unwrap_or_default();
                env.instant() + wait
            }));
        }
        times.into_iter().flatten().min()
    }

    /// Whether `at` is there, or arranges to be woken no later.
    fn is_time(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        let timer = match &mut self.timer {
            // It wakes earlier than it need: time is looked at again then.
            Some(timer) if timer.at <= at => timer,
            timer => {
                let env = self.member.link.env.clone();
                let wait = at.saturating_duration_since(env.instant());
                timer.insert(Timer { at, sleep: Box::pin(async move { env.sleep(wait).await }) })
            }
        };
        let is_time = timer.sleep.as_mut().poll(cx).is_ready();
        if is_time {
            self.timer = None;
        }
        is_time
    }
}

impl Source for RabbitMqSource {
    fn poll_next(&mut self, cx: &mut Context<'_>, demand: Demand) -> Poll<Result<SourceEvent, Error>> {
        self.member.task.register(cx.waker());
        loop {
            if self.has_ended {
                return Poll::Ready(Ok(SourceEvent::Closed));
            }
            if let Err(error) = self.reopen(cx) {
                self.has_ended = true;
                let is_over = self.member.lock().is_over;
                return Poll::Ready(if is_over { Ok(SourceEvent::Closed) } else { Err(error) });
            }
            let before = self.reopening.len();
            self.receive(cx);
            let is_changed = self.reopening.len() > before || self.balance(cx);
            if let Some(found) = self.look(demand) {
                return Poll::Ready(found);
            }
            // What was begun is to wake this task.
            if is_changed {
                continue;
            }
            match self.next_time(demand) {
                Some(at) if self.is_time(at, cx) => {}
                _ => return Poll::Pending,
            }
        }
    }
}

impl Drop for RabbitMqSource {
    fn drop(&mut self) {
        self.member.let_go(self.member.leave());
    }
}

impl fmt::Debug for RabbitMqSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMqSource").field("group", &self.member.group).finish_non_exhaustive()
    }
}
