//! Publishing: events of all calls wait in one line, from which requests take as many as fit.
//!
//! A request is a task of its own, so that a call that is dropped takes no other call's events with it. Nothing waits for
//! company: while no request is under way, an event is sent at once; while all are, events gather, and the next request takes
//! ten of them.

mod pace;
pub(crate) mod sink;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jitney_core::message::Outbound;
use jitney_core::transport::Published;
use jitney_core::{Env, Error, ErrorKind};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::config::Config;
use crate::entry::{self, Entry};
use crate::error;
use pace::Pace;
use sink::{Failure, Fate, Sink};

/// How long an event waits at most before it is tried again for the first time, and ever.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Publishes to one bus.
#[derive(Debug)]
pub(crate) struct Publisher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sink: Box<dyn Sink>,
    env: Env,
    bus: String,
    url: String,
    timeout: Duration,
    max_requests: usize,
    state: Mutex<State>,
    /// Told when nothing is left to be answered.
    answered: Notify,
}

#[derive(Debug, Default)]
struct State {
    line: VecDeque<Waiting>,
    /// Tasks that send requests, and how many of them have one under way.
    senders: usize,
    busy: usize,
    /// Events that are not answered for.
    open: usize,
    pace: Pace,
    is_closed: bool,
}

/// An event that is not answered for.
#[derive(Debug)]
struct Waiting {
    entry: Entry,
    deadline: Instant,
    attempts: u32,
    /// An earlier attempt may have stored it.
    may_be_stored: bool,
    /// It goes alone, since it may have spoiled a request.
    is_alone: bool,
    last: Option<Failure>,
    answer: oneshot::Sender<Published>,
}

impl Publisher {
    pub(crate) fn new(sink: Box<dyn Sink>, config: &Config, env: Env) -> Self {
        Publisher(Arc::new(Inner {
            sink,
            env,
            bus: config.bus.clone(),
            url: config.describe(),
            timeout: config.publish_timeout,
            max_requests: config.max_requests,
            state: Mutex::default(),
            answered: Notify::new(),
        }))
    }

    /// Stores the messages of `batch`; answers one outcome for each.
    pub(crate) async fn publish(&self, batch: &[Outbound]) -> Vec<Published> {
        let entries: Vec<_> = batch.iter().map(|outbound| Entry::of(outbound, &self.0.bus)).collect();
        let mut waiting = Vec::with_capacity(batch.len());
        {
            let deadline = self.0.env.instant() + self.0.timeout;
            let mut state = self.0.lock();
            for (entry, outbound) in entries.into_iter().zip(batch) {
                waiting.push(match entry {
                    Ok(_) if state.is_closed => {
                        let doing = format!("publishing {} to {}", entry::name(outbound), self.0.url);
                        Err(error::closed(&doing))
                    }
                    Ok(entry) => Ok(state.add(entry, deadline)),
                    Err(error) => Err(error),
                });
            }
        }
        self.0.send_more();
        let mut outcomes = Vec::with_capacity(waiting.len());
        for (answer, outbound) in waiting.into_iter().zip(batch) {
            outcomes.push(match answer {
                Ok(answer) => answer.await.unwrap_or_else(|_| {
                    let what = format!(
                        "publishing {} to {}: its request was cut off",
                        entry::name(outbound),
                        self.0.url
                    );
                    Published::Unknown(Error::new(ErrorKind::Unknown, what))
                }),
                Err(error) => Published::Rejected(error),
            });
        }
        outcomes
    }

    /// Whether nothing more is taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.lock().is_closed
    }

    /// Takes nothing more, and waits until everything is answered for, within `limit`.
    pub(crate) async fn close(&self, limit: Duration) -> Result<(), Error> {
        self.0.lock().is_closed = true;
        let answered = async {
            loop {
                let answered = self.0.answered.notified();
                if self.0.lock().open == 0 {
                    return;
                }
                answered.await;
            }
        };
        self.0.env.timeout(limit, answered).await.map_err(|_| {
            let open = self.0.lock().open;
            let what = format!("closing {}: {open} events were not taken within {limit:?}", self.0.url);
            Error::new(ErrorKind::Unknown, what)
        })
    }
}

impl State {
    fn add(&mut self, entry: Entry, deadline: Instant) -> oneshot::Receiver<Published> {
        let (answer, answered) = oneshot::channel();
        self.open += 1;
        self.line.push_back(Waiting {
            entry,
            deadline,
            attempts: 0,
            may_be_stored: false,
            is_alone: false,
            last: None,
            answer,
        });
        answered
    }

    /// Takes what fits into one request.
    fn take(&mut self, (most, bytes): (usize, usize)) -> Vec<Waiting> {
        let mut taken: Vec<Waiting> = Vec::new();
        let mut size = 0;
        while let Some(next) = self.line.front() {
            size += next.entry.size();
            let is_alone = next.is_alone || taken.first().is_some_and(|first| first.is_alone);
            if !taken.is_empty() && (is_alone || taken.len() == most || size > bytes) {
                break;
            }
            taken.extend(self.line.pop_front());
        }
        taken
    }
}

/// A task that sends requests; however it ends, it is counted off.
struct Sender {
    inner: Arc<Inner>,
    is_busy: bool,
    has_ended: bool,
}

impl Sender {
    /// What the next request has; where nothing waits the task has ended.
    fn take(&mut self) -> Option<Vec<Waiting>> {
        let mut state = self.inner.lock();
        state.busy -= usize::from(std::mem::take(&mut self.is_busy));
        let batch = state.take(self.inner.sink.most());
        if batch.is_empty() {
            // Under the same lock as the look at the line: what comes next finds this task gone.
            state.senders -= 1;
            self.has_ended = true;
            return None;
        }
        state.busy += 1;
        self.is_busy = true;
        Some(batch)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        state.busy -= usize::from(self.is_busy);
        state.senders -= usize::from(!self.has_ended);
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that as many requests are under way as there are events for, and as there may be.
    fn send_more(self: &Arc<Self>) {
        let mut state = self.lock();
        let wanted = state.line.len().div_ceil(self.sink.most().0);
        while state.senders - state.busy < wanted && state.senders < self.max_requests {
            state.senders += 1;
            let sender = Sender { inner: Arc::clone(self), is_busy: false, has_ended: false };
            self.env.spawn(send(sender));
        }
    }

    /// Deals with the answer to one request.
    fn answered(
        self: &Arc<Self>,
        sent: Instant,
        batch: Vec<Waiting>,
        answer: Result<Vec<Result<(), Failure>>, Failure>,
    ) {
        let now = self.env.instant();
        let is_throttled = match &answer {
            Ok(outcomes) => {
                outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(|failure| failure.is_throttled))
            }
            Err(failure) => failure.is_throttled,
        };
        if is_throttled {
            tracing::debug!(bus = self.bus, "EventBridge throttles; requests are spaced out");
            self.lock().pace.throttled(sent, now);
        } else if answer.is_ok() {
            self.lock().pace.taken();
        }
        let mut outcomes = match answer {
            Ok(outcomes) => outcomes.into_iter(),
            Err(failure) => vec![Err(failure); batch.len()].into_iter(),
        };
        let is_shared = batch.len() > 1;
        for waiting in batch {
            let outcome = outcomes.next().unwrap_or_else(|| {
                let said = "the answer says nothing of it".to_owned();
                Err(Failure { said, fate: Fate::MayBeStored, is_retryable: false, is_throttled: false })
            });
            match outcome {
                Ok(()) => self.answer(waiting, Published::Acked),
                Err(failure) if failure.fate == Fate::Spoiled && is_shared => {
                    self.wait(Waiting { is_alone: true, ..waiting }, Duration::ZERO)
                }
                Err(failure) => self.failed(waiting, failure, now),
            }
        }
    }

    fn failed(self: &Arc<Self>, mut waiting: Waiting, failure: Failure, now: Instant) {
        waiting.attempts += 1;
        waiting.may_be_stored |= failure.fate == Fate::MayBeStored;
        let is_retryable = failure.is_retryable;
        waiting.last = Some(failure);
        let most = BACKOFF.0.saturating_mul(1 << waiting.attempts.min(16).saturating_sub(1)).min(BACKOFF.1);
        let delay = self.env.random_up_to(most);
        if !is_retryable || now + delay >= waiting.deadline {
            self.give_up(waiting);
        } else {
            self.wait(waiting, delay);
        }
    }

    /// Puts an event into the line again after `delay`.
    fn wait(self: &Arc<Self>, waiting: Waiting, delay: Duration) {
        let this = Arc::clone(self);
        self.env.spawn(async move {
            this.env.sleep(delay).await;
            this.lock().line.push_back(waiting);
            this.send_more();
        });
    }

    fn give_up(&self, waiting: Waiting) {
        let Waiting { entry, attempts, may_be_stored, last, .. } = &waiting;
        let said = last.as_ref().map_or_else(
            || "no request had room for it within `publish_timeout`; raise `max_requests`, or publish less at once".to_owned(),
            |failure| failure.said.clone(),
        );
        let what = format!("publishing {} to {}: {said} (tried {attempts} times)", entry.name, self.url);
        let is_retryable = last.as_ref().is_none_or(|failure| failure.is_retryable);
        let outcome = match may_be_stored {
            true => Published::Unknown(Error::new(ErrorKind::Unknown, what)),
            false => Published::Rejected(Error::new(ErrorKind::Rejected, what).retryable(is_retryable)),
        };
        self.answer(waiting, outcome);
    }

    fn answer(&self, waiting: Waiting, outcome: Published) {
        // Nobody may be waiting any more.
        let _ = waiting.answer.send(outcome);
        let mut state = self.lock();
        state.open -= 1;
        if state.open == 0 {
            drop(state);
            self.answered.notify_waiters();
        }
    }
}

/// Sends requests until nothing waits.
async fn send(mut sender: Sender) {
    let inner = Arc::clone(&sender.inner);
    loop {
        let now = inner.env.instant();
        let wait = inner.lock().pace.place(now).saturating_duration_since(now);
        if !wait.is_zero() {
            inner.env.sleep(wait).await;
        }
        let Some(batch) = sender.take() else { return };
        let now = inner.env.instant();
        let (batch, late): (Vec<_>, Vec<_>) = batch.into_iter().partition(|waiting| now < waiting.deadline);
        late.into_iter().for_each(|waiting| inner.give_up(waiting));
        if !batch.is_empty() {
            let entries: Vec<&Entry> = batch.iter().map(|waiting| &waiting.entry).collect();
            let answer = inner.sink.put(&entries).await;
            inner.answered(now, batch, answer);
        }
    }
}
