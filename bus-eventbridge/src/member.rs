//! One member of one group: the state that its source, its settler and its driver share.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::task::AtomicWaker;
use jitney_core::message::Message;
use jitney_core::transport::{Epoch, Interest, SourceEvent, Token};
use jitney_core::{Env, Error};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::queue::{BATCH, Queue};

/// A member, as long as anybody knows it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) group: String,
    pub(crate) queue: Queue,
    pub(crate) interests: Vec<Interest>,
    pub(crate) env: Env,
    pub(crate) prefetch: usize,
    /// Wakes the task that reads the source.
    pub(crate) task: AtomicWaker,
    /// Tells the driver to look.
    pub(crate) driver: Notify,
    pub(crate) epoch: Epoch,
    state: Mutex<State>,
    /// Whether everything has been given back.
    has_left: watch::Sender<bool>,
}

/// What changes.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Received, and not handed out.
    ready: VecDeque<Held>,
    /// Handed out, and not settled.
    held: BTreeMap<u64, Held>,
    /// The places that receives which are under way have taken.
    reserved: usize,
    /// As many deliveries the reader wants.
    wanted: usize,
    numbers: u64,
    /// What the source has to tell before anything else.
    pub(crate) news: VecDeque<Result<SourceEvent, Error>>,
    /// The connection is interrupted, and the source has told.
    is_interrupted: bool,
    /// The member has left, or is about to.
    pub(crate) is_over: bool,
    /// What the driver has to give back.
    given_back: Vec<String>,
}

/// A message that is hidden from others.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) message: Arc<Message>,
    pub(crate) receipt: String,
    pub(crate) attempt: u32,
    pub(crate) received: Instant,
    /// Until then; afterwards it is anybody's.
    pub(crate) until: Instant,
    /// It is being hidden for longer.
    pub(crate) is_renewed: bool,
}

/// What the driver is to do next.
#[derive(Debug)]
pub(crate) enum Task {
    /// Receive up to so many messages.
    Receive(usize),
    /// Hide these for longer: they have waited for the reader.
    Renew(Vec<String>),
    /// Look again when somebody tells, or then.
    Wait(Option<Instant>),
    /// Give these back, and end.
    End(Vec<String>),
}

impl Member {
    pub(crate) fn new(
        group: String,
        queue: Queue,
        interests: Vec<Interest>,
        prefetch: usize,
        epoch: Epoch,
        env: Env,
    ) -> Self {
        Member {
            group,
            queue,
            interests,
            env,
            prefetch: prefetch.max(1),
            task: AtomicWaker::new(),
            driver: Notify::new(),
            epoch,
            state: Mutex::default(),
            has_left: watch::Sender::new(false),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to do; a receive that it names, of `at_once` messages at most, has its places reserved.
    pub(crate) fn next_task(&self, at_once: usize) -> Task {
        let now = self.env.instant();
        let mut state = self.lock();
        if state.is_over {
            return Task::End(std::mem::take(&mut state.given_back));
        }
        state.forget_expired(now);
        let visibility = self.queue.visibility;
        if state.wanted > 0 {
            let waited = state.renew(now + visibility * 3 / 4);
            if !waited.is_empty() {
                return Task::Renew(waited);
            }
        }
        let taken = state.ready.len() + state.held.len() + state.reserved;
        let room = self.prefetch.saturating_sub(taken).min(at_once);
        let is_wanted = state.wanted > state.ready.len() + state.reserved;
        if is_wanted && room > 0 {
            state.reserved += room;
            return Task::Receive(room);
        }
        // What is held too long makes room by itself, and what waits is renewed in time.
        let freed = state.held.values().map(|held| held.until).min().filter(|_| is_wanted);
        let waiting = state.ready.iter().filter(|held| !held.is_renewed && state.wanted > 0);
        let renewed = waiting.map(|held| held.until - visibility * 3 / 4).min();
        Task::Wait(freed.into_iter().chain(renewed).min())
    }

    /// These are hidden until then; whatever else was to be renewed is not, and comes again.
    pub(crate) fn renewed(&self, receipts: &[String], until: Instant) {
        let mut state = self.lock();
        for held in state.ready.iter_mut().filter(|held| receipts.contains(&held.receipt)) {
            (held.until, held.is_renewed) = (until, false);
        }
        drop(state);
        self.task.wake();
    }

    /// A receive has ended, and its places are free again.
    pub(crate) fn free(&self, places: usize) {
        self.lock().reserved -= places;
    }

    /// Messages have come, or it is known that there are none. Answers what came too late, to be given back.
    pub(crate) fn received(&self, came: Vec<Held>) -> Vec<String> {
        let mut state = self.lock();
        if state.is_over {
            return came.into_iter().map(|held| held.receipt).collect();
        }
        state.is_interrupted = false;
        if !came.is_empty() {
            state.ready.extend(came);
            drop(state);
            self.task.wake();
        }
        Vec::new()
    }

    /// Has the source tell of an error: once for each interruption where it is retryable, and as its last word otherwise.
    pub(crate) fn failed(&self, error: Error) {
        let mut state = self.lock();
        if state.is_over {
            return;
        }
        if !error.is_retryable() {
            state.end();
            state.news.push_front(Err(error));
        } else if std::mem::replace(&mut state.is_interrupted, true) {
            return;
        } else {
            state.news.push_back(Err(error));
        }
        drop(state);
        self.task.wake();
    }

    /// Leaves the group: nothing more is received or settled. The driver gives back what is not settled.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        if !state.is_over {
            state.end();
            drop(state);
            self.task.wake();
            self.driver.notify_one();
        }
    }

    /// Is done when everything has been given back.
    pub(crate) async fn left(&self) {
        // The sender is this member's.
        let _ = self.has_left.subscribe().wait_for(|left| *left).await;
    }

    /// Everything has been given back.
    pub(crate) fn has_left(&self) {
        self.has_left.send_replace(true);
    }

    /// Settles one delivery.
    pub(crate) fn settled(&self, number: u64) {
        if self.lock().held.remove(&number).is_some() {
            self.driver.notify_one();
        }
    }
}

impl State {
    fn end(&mut self) {
        self.is_over = true;
        let held = std::mem::take(&mut self.held).into_values();
        let ready = std::mem::take(&mut self.ready);
        self.given_back.extend(held.chain(ready).map(|held| held.receipt));
        self.news.push_back(Ok(SourceEvent::Closed));
    }

    /// Forgets what is no longer hidden from others.
    fn forget_expired(&mut self, now: Instant) {
        self.held.retain(|_, held| held.until > now);
        self.ready.retain(|held| held.until > now);
    }

    /// Notes what the reader wants.
    pub(crate) fn want(&mut self, events: usize) -> bool {
        self.wanted = events;
        events > self.ready.len() + self.reserved
    }

    /// Begins to renew what waits and is hidden until `limit` at most.
    fn renew(&mut self, limit: Instant) -> Vec<String> {
        let waited = self.ready.iter_mut().filter(|held| !held.is_renewed && held.until <= limit);
        let renew = |held: &mut Held| {
            held.is_renewed = true;
            held.receipt.clone()
        };
        waited.map(renew).take(BATCH).collect()
    }

    /// The next message for the reader of at most so many `bytes`, and its number; one that is hidden until `least` at least,
    /// so that there is time to settle it.
    pub(crate) fn hand_out(&mut self, least: Instant, bytes: usize) -> Option<(u64, Held)> {
        let place = self.ready.iter().position(|held| held.until >= least)?;
        if self.ready[place].message.size() > bytes {
            return None;
        }
        let held = self.ready.remove(place)?;
        self.numbers += 1;
        self.held.insert(self.numbers, held.clone());
        self.wanted = self.wanted.saturating_sub(1);
        Some((self.numbers, held))
    }

    /// The delivery of `token`, where it is in force.
    pub(crate) fn holder(&self, token: Token, epoch: Epoch, now: Instant) -> Option<&Held> {
        self.held.get(&token.number).filter(|held| token.epoch == epoch && held.until > now)
    }

    /// Hides a delivery for longer.
    pub(crate) fn prolong(&mut self, number: u64, until: Instant) {
        if let Some(held) = self.held.get_mut(&number) {
            held.until = until;
        }
    }
}
