//! A group's life on one bus: fetch within the budget, dispatch, settle, hand over, drain.
//!
//! One task, polled by hand, so that nothing is lost between its branches: each turn first settles and goes on with
//! what runs, then fetches.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::in_flight::InFlight;
use super::process::Decided;
use super::settling::{Settled, keep_alive, keep_alive_every, leave, leave_beside, settle};
use super::{Dispatcher, Group};
use crate::middleware::RetryPolicy;
use crate::transport::{Demand, Epoch, Settler, Source, SourceEvent, Subscribed};
use crate::{Env, Error, error_chain};

/// So many deliveries are taken before other tasks get a turn.
const TURN: usize = 256;

/// How long a source is left alone that was interrupted: briefly, since it has news of partitions as well.
const INTERRUPTED: RetryPolicy = RetryPolicy {
    attempts: u32::MAX,
    from: Duration::from_millis(10),
    to: Duration::from_secs(1),
    delayed: false,
};

/// Runs one group until it is told to stop, or its source ends.
pub(crate) struct SubscriptionLoop {
    group: Arc<Group>,
    dispatcher: Dispatcher,
    source: Box<dyn Source>,
    settler: Arc<dyn Settler>,
    in_flight: InFlight,
    background: FuturesUnordered<BoxFuture<'static, Event>>,
    revoking: Vec<Epoch>,
    stop: BoxFuture<'static, ()>,
    phase: Phase,
    source_ended: bool,
    /// How often the source has failed in a row, and how long it is left alone for that.
    interruptions: u32,
    pause: Option<BoxFuture<'static, ()>>,
    drain_within: Duration,
    failure: Option<Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// Nothing more is fetched; what runs may finish.
    Draining,
    /// The drain limit has passed.
    Over,
}

/// A member counts as running until this is dropped, however that comes about.
struct IsRunning(Arc<Group>);

impl Drop for IsRunning {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What happened beside the handlers and the source.
enum Event {
    Settled(Settled),
    Released,
    RevokeLimit(Epoch),
    DrainLimit,
    KeepAlive,
    KeptAlive,
}

impl SubscriptionLoop {
    /// The loop of `group` over `subscribed`; it stops fetching when `stop` is done.
    pub(crate) fn new(
        group: Arc<Group>,
        subscribed: Subscribed,
        drain_within: Duration,
        stop: BoxFuture<'static, ()>,
    ) -> Self {
        let settle_within = group.bus.capabilities().settle_within;
        let this = SubscriptionLoop {
            dispatcher: Dispatcher::new(Arc::clone(&group)),
            source: subscribed.source,
            settler: subscribed.settler,
            in_flight: InFlight::new(group.limits, settle_within.is_some(), group.exactly_once),
            background: FuturesUnordered::new(),
            revoking: Vec::new(),
            stop,
            phase: Phase::Running,
            source_ended: false,
            interruptions: 0,
            pause: None,
            drain_within,
            failure: None,
            group,
        };
        // From now on, so that nobody finds a group that is about to run ended.
        this.group.running.fetch_add(1, Ordering::Relaxed);
        this.arm_keep_alive();
        this
    }

    /// Runs to the end and leaves the group. What is unsettled then is delivered again.
    ///
    /// # Errors
    ///
    /// The error that ended the source.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let running = IsRunning(Arc::clone(&self.group));
        poll_fn(|cx| self.poll(cx)).await;
        drop(running);
        let SubscriptionLoop { group, settler, drain_within, failure, dispatcher, mut background, .. } = self;
        // What still runs ends before the next member may have its events.
        drop(dispatcher);
        if !group.exactly_once {
            background.clear();
        }
        leave_beside(leave(&group, &*settler, drain_within), background).await;
        failure.map_or(Ok(()), Err)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.phase == Phase::Running && self.stop.as_mut().poll(cx).is_ready() {
            self.drain();
        }
        let mut taken = 0;
        loop {
            self.dispatcher.poll(cx);
            self.settle_done(cx);
            if self.poll_background(cx) {
                // What was aborted has made room for what waits.
                continue;
            }
            if self.phase == Phase::Over || (self.phase == Phase::Draining && self.is_quiet()) {
                return Poll::Ready(());
            }
            if self.source_ended {
                return Poll::Pending;
            }
            if taken >= TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let demand = if self.phase == Phase::Running { self.in_flight.demand() } else { Demand::NOTHING };
            taken += match ready!(self.source.poll_next(cx, demand)) {
                Ok(event) => self.on_source(cx, event),
                Err(error) => self.on_source_error(error),
            };
        }
    }

    fn is_quiet(&self) -> bool {
        self.dispatcher.is_idle() && !self.dispatcher.has_done() && !self.in_flight.has_work(None)
    }

    fn on_source(&mut self, cx: &mut Context<'_>, event: SourceEvent) -> usize {
        self.interruptions = 0;
        match event {
            SourceEvent::Deliveries(deliveries) => {
                let number = deliveries.len();
                for delivery in deliveries {
                    self.in_flight.add(&delivery);
                    self.dispatcher.push(cx, delivery);
                }
                number
            }
            SourceEvent::Revoking { epoch, limit } => {
                if !self.revoking.contains(&epoch) {
                    self.drop_queued(Some(epoch));
                    self.revoking.push(epoch);
                    self.after(limit, Event::RevokeLimit(epoch));
                    self.release_if_done(epoch);
                }
                1
            }
            SourceEvent::Lost { epoch } => {
                self.dispatcher.abort(epoch);
                self.forget(epoch);
                1
            }
            SourceEvent::Closed => {
                tracing::info!(group = self.group.name, "the source has ended, and the group with it");
                self.source_ended = true;
                self.drain();
                1
            }
        }
    }

    fn on_source_error(&mut self, error: Error) -> usize {
        let text = error_chain(&error);
        if error.is_retryable() {
            self.interruptions = self.interruptions.saturating_add(1);
            let env = self.group.bus.env().clone();
            let delay = INTERRUPTED.delay(&env, self.interruptions);
            self.pause = Some(Box::pin(async move { env.sleep(delay).await }));
            tracing::warn!(group = self.group.name, error = text, "receiving was interrupted and goes on");
            return 1;
        }
        tracing::error!(group = self.group.name, error = text, "receiving has failed; the group stops");
        self.failure = Some(error);
        self.source_ended = true;
        self.drain();
        1
    }

    /// Stops fetching: what waits is left to the next member, what runs may finish.
    fn drain(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Draining;
            self.drop_queued(None);
            self.after(self.drain_within, Event::DrainLimit);
        }
    }

    fn drop_queued(&mut self, epoch: Option<Epoch>) {
        let in_flight = &mut self.in_flight;
        self.dispatcher.drop_queued(epoch, &mut |delivery| {
            in_flight.remove(delivery.token, delivery.message.size());
        });
    }

    fn forget(&mut self, epoch: Epoch) {
        self.in_flight.forget(epoch);
        self.revoking.retain(|revoked| *revoked != epoch);
    }

    /// Hands everything that was decided to the settler.
    fn settle_done(&mut self, cx: &mut Context<'_>) {
        if !self.dispatcher.has_done() {
            return;
        }
        let decided = self.dispatcher.take_done();
        self.in_flight.hand_over(&decided);
        let mut settling = self.settling(decided, 0);
        match settling.as_mut().poll(cx) {
            Poll::Ready(event) => self.on_background(event),
            Poll::Pending => {
                self.background.push(settling);
                self.release_what_is_done();
            }
        }
    }

    fn settling(&self, decided: Vec<Decided>, failed: u32) -> BoxFuture<'static, Event> {
        let (group, settler) = (Arc::clone(&self.group), Arc::clone(&self.settler));
        Box::pin(settle(group, settler, decided, failed).map(Event::Settled))
    }

    /// Answers whether anything happened.
    fn poll_background(&mut self, cx: &mut Context<'_>) -> bool {
        let mut happened = false;
        while let Poll::Ready(Some(event)) = self.background.poll_next_unpin(cx) {
            self.on_background(event);
            happened = true;
        }
        happened
    }

    fn on_background(&mut self, event: Event) {
        match event {
            Event::Settled(Settled { over, again, failed }) => {
                // Further tries are the loop's own work.
                if failed <= 1 {
                    self.in_flight.hand_back(over.iter().map(|(token, _)| token));
                    self.in_flight.hand_back(again.iter().map(|again| &again.token));
                }
                for (token, bytes) in over {
                    self.in_flight.remove(token, bytes);
                }
                if !again.is_empty() {
                    self.background.push(self.settling(again, failed));
                }
                self.group.counters.in_flight(self.in_flight.events(), self.dispatcher.running());
                self.release_what_is_done();
            }
            Event::RevokeLimit(epoch) => {
                if self.revoking.contains(&epoch) {
                    self.dispatcher.abort(epoch);
                    self.in_flight.forget(epoch);
                    self.release_if_done(epoch);
                }
            }
            Event::DrainLimit => self.phase = Phase::Over,
            Event::KeepAlive => {
                let (settler, tokens) = (Arc::clone(&self.settler), self.in_flight.tokens());
                if !tokens.is_empty() {
                    let kept = keep_alive(Arc::clone(&self.group), settler, tokens);
                    self.background.push(Box::pin(kept.map(|()| Event::KeptAlive)));
                }
                self.arm_keep_alive();
            }
            Event::Released | Event::KeptAlive => {}
        }
    }

    fn release_what_is_done(&mut self) {
        for epoch in self.revoking.clone() {
            self.release_if_done(epoch);
        }
    }

    fn release_if_done(&mut self, epoch: Epoch) {
        if self.in_flight.has_work(Some(epoch)) {
            return;
        }
        self.forget(epoch);
        let settler = Arc::clone(&self.settler);
        self.background.push(Box::pin(async move {
            settler.release(epoch).await;
            Event::Released
        }));
    }

    fn arm_keep_alive(&self) {
        if let Some(every) = keep_alive_every(&self.group) {
            self.after(every, Event::KeepAlive);
        }
    }

    fn after(&self, delay: Duration, event: Event) {
        let env: Env = self.group.bus.env().clone();
        self.background.push(Box::pin(async move {
            env.sleep(delay).await;
            event
        }));
    }
}
