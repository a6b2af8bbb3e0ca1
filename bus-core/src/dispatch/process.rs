//! The chain around a handler: open( dedup( retry( breaker( attempt )))), then commit.
//!
//! `prepare` opens and recognises, `decide` says what follows from an attempt. The breaker sits inside the retries: an
//! attempt waits while it is open.

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use super::attempt::attempt;
use super::decide::{decide, decide_alike, decide_each};
use super::group::KeyGuard;
use super::in_transaction::attempt_in_transaction;
use super::places::Places;
use super::prepare::{Prepared, prepare};
use super::trace::process_span;
use super::{Group, Route};
use crate::RawEvent;
use crate::event::DecodeError;
use crate::handler::{Context, HandlerError, Outcome, Reply, Verdict};
use crate::message::Outbound;
use crate::middleware::Permit;
use crate::transport::{Delivery, Settle, Settlement, Token};

/// A delivery that has its envelope.
pub(super) struct Item {
    pub(super) delivery: Delivery,
    pub(super) event: RawEvent,
}

/// What became of the items of one run.
pub(super) struct Finished {
    pub(super) first: Decided,
    pub(super) rest: Vec<Decided>,
}

/// A delivery of so many bytes, and what became of it.
pub(super) struct Decided {
    pub(super) token: Token,
    pub(super) bytes: usize,
    pub(super) fate: Fate,
}

/// What is to become of a delivery.
pub(super) enum Fate {
    Settle(Settle),
    /// It is done, in one transaction with outputs. Boxed: most events have none, and need not carry the room for them.
    Store(Box<ToStore>),
    /// It is left as it is, and comes again: its outputs have nowhere to go, since the bus is closed.
    Leave,
}

/// Outputs that are to be stored with the settlement of their cause.
pub(super) struct ToStore {
    pub(super) outputs: Vec<Outbound>,
    pub(super) cause: Cause,
}

/// The delivery that gave outputs, and who made them.
#[derive(Clone)]
pub(super) struct Cause {
    pub(super) delivery: Delivery,
    pub(super) handler: String,
    pub(super) attempts: u32,
}

impl Decided {
    /// What the broker is to be told.
    #[inline]
    pub(super) fn into_settlement(self) -> Option<Settlement> {
        match self.fate {
            Fate::Settle(settle) => Some(Settlement::new(self.token, settle)),
            Fate::Store(store) => Some(Settlement::new(self.token, Settle::Ack).with_outputs(store.outputs)),
            Fate::Leave => None,
        }
    }

    /// Whose outputs are to be stored, where there are any.
    pub(super) fn cause(&self) -> Option<&Cause> {
        match &self.fate {
            Fate::Store(store) => Some(&store.cause),
            Fate::Settle(_) | Fate::Leave => None,
        }
    }
}

/// An item on its way through the attempts.
pub(super) struct Tried {
    pub(super) item: Item,
    pub(super) stage: Stage,
    pub(super) key: Option<KeyGuard>,
    pub(super) failed: u32,
    pub(super) fate: Option<Fate>,
}

/// How far an item has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// As it came from the wire.
    Sealed,
    /// The bus's layers have opened it.
    Opened,
    /// It was not handled before, and nobody else works on its key.
    Ready,
    /// The same, and an attempt has failed: what was opened for it is not kept, and is opened anew for the next.
    Stale,
    /// It has failed beside others, and waits until those are decided.
    HeldBack,
}

/// Takes `items` (one, unless the handler takes batches) through the chain.
pub(super) fn process(
    group: Arc<Group>,
    route: Arc<Route>,
    places: Arc<Places>,
    first: Item,
    rest: Vec<Item>,
) -> impl Future<Output = Finished> + Send {
    let span = process_span(&group, &route, &first.event);
    let tried = |item| Tried { item, stage: Stage::Sealed, key: None, failed: 0, fate: None };
    let mut first = tried(first);
    let rest: Vec<Tried> = rest.into_iter().map(tried).collect();
    let work = async move {
        if rest.is_empty() {
            run(&group, &route, &places, std::slice::from_mut(&mut first)).await;
            return Finished { first: decided(first), rest: Vec::new() };
        }
        let mut all: Vec<Tried> = std::iter::once(first).chain(rest).collect();
        // Boxed: most events come alone, and need not carry the room for this.
        Box::pin(run(&group, &route, &places, &mut all)).await;
        let mut decided = all.into_iter().map(decided);
        let first = decided.next().expect("there is a first item");
        Finished { first, rest: decided.collect() }
    };
    work.instrument(span)
}

impl Tried {
    /// Whether the handler is to see it.
    pub(super) fn is_ready(&self) -> bool {
        self.stage == Stage::Ready && self.fate.is_none()
    }

    /// Decides it; nobody else need wait for its key any more.
    pub(super) fn settle(&mut self, settle: Settle) {
        self.decide(Fate::Settle(settle));
    }

    /// Decides that it is done, in one transaction with `outputs`.
    pub(super) fn store(&mut self, route: &Route, outputs: Vec<Outbound>) {
        let cause = Cause {
            delivery: self.item.delivery.clone(),
            handler: route.name.clone(),
            attempts: self.failed_attempts(route).saturating_add(1),
        };
        self.decide(Fate::Store(Box::new(ToStore { outputs, cause })));
    }

    /// Decides it; nobody else need wait for its key any more.
    #[inline]
    pub(super) fn decide(&mut self, fate: Fate) {
        self.fate = Some(fate);
        self.key = None;
    }

    /// Attempts before this delivery: where the broker holds events back, each delivery is one.
    pub(super) fn earlier_deliveries(&self, route: &Route) -> u32 {
        if route.retry.delayed { self.item.delivery.attempt.saturating_sub(1) } else { 0 }
    }

    /// Attempts that failed so far.
    pub(super) fn failed_attempts(&self, route: &Route) -> u32 {
        self.earlier_deliveries(route).saturating_add(self.failed)
    }
}

fn decided(tried: Tried) -> Decided {
    let fate = tried.fate.expect("the run ends when every item is decided");
    let delivery = tried.item.delivery;
    Decided { token: delivery.token, bytes: delivery.message.size(), fate }
}

/// Runs until each item is decided: whatever is ready is attempted, what is not ready yet waits for the next round.
async fn run(group: &Group, route: &Route, places: &Places, items: &mut [Tried]) {
    let mut attempts = 0;
    loop {
        let Prepared { mut wait, freed } = match Prepared::is_needed(group, route, items) {
            true => Box::pin(prepare(group, route, items)).await,
            false => Prepared::default(),
        };
        if items.iter().any(Tried::is_ready) {
            attempts += 1;
            if attempts > 1 {
                group.counters.retried();
            }
            wait = wait.max(attempt_all(group, route, places, items, attempts).await);
        } else if let (Some(freed), None) = (freed, wait) {
            Box::pin(places.wait_for(freed)).await;
        }
        if items.iter().all(|tried| tried.fate.is_some()) {
            return;
        }
        if let Some(wait) = wait {
            Box::pin(places.wait_for(group.bus.env().sleep(wait))).await;
        }
    }
}

/// One attempt at everything that is ready. Answers how long to wait before the next one.
async fn attempt_all(
    group: &Group,
    route: &Route,
    places: &Places,
    items: &mut [Tried],
    number: u32,
) -> Option<Duration> {
    if let Some(inbox) = &route.inbox {
        // Boxed: most handlers ask for no transaction, and need not carry the room for this.
        return Box::pin(attempt_in_transaction(group, route, &**inbox, places, items, number)).await;
    }
    let batch: Vec<RawEvent>;
    let last = items.iter().rposition(Tried::is_ready)?;
    let attempts = items[last].earlier_deliveries(route).saturating_add(number);
    let events = match items {
        [only] => std::slice::from_ref(&only.item.event),
        _ => {
            let ready = items.iter().filter(|tried| tried.is_ready());
            batch = ready.map(|tried| tried.item.event.clone()).collect();
            &batch[..]
        }
    };
    let permit = match &route.breaker {
        Some(breaker) => Some(Box::pin(places.wait_for(breaker.permit(group.bus.env()))).await),
        None => None,
    };
    let reply = attempt(Context { events, attempt: attempts, group, route, unit: None }).await;
    if let Some(permit) = permit {
        answer(permit, &reply);
    }
    let asked = events.len();
    match reply.unwrap_or_else(|error| Reply::All(Verdict::Failed(error).into())) {
        Reply::All(outcome) if items.len() == 1 => decide(group, route, &mut items[0], outcome).await,
        Reply::All(outcome) if is_unreadable(&outcome) => {
            Box::pin(attempt_each(group, route, places, items, number)).await
        }
        Reply::All(outcome) => Box::pin(decide_alike(group, route, items, last, outcome)).await,
        Reply::Each(outcomes) if outcomes.len() == asked => {
            // Boxed: most events come alone, and need not carry the room for this.
            Box::pin(decide_each(group, route, items, outcomes)).await
        }
        Reply::Each(outcomes) => {
            let outcome = wrong_number(route, outcomes.len(), asked);
            Box::pin(decide_alike(group, route, items, last, outcome)).await
        }
    }
}

/// The handler has returned outcomes, and not one for each event.
pub(super) fn wrong_number(route: &Route, outcomes: usize, asked: usize) -> Outcome {
    let error = format!(
        "handler `{}` returned {outcomes} outcomes for {asked} events; return one for each, in their order",
        route.name,
    );
    Verdict::Failed(HandlerError::retryable(error)).into()
}

/// Tells the breaker what came of an attempt.
pub(super) fn answer(permit: Permit<'_>, reply: &Result<Reply, HandlerError>) {
    if matches!(reply, Ok(reply) if !is_failure(reply)) { permit.succeeded() } else { permit.failed() }
}

/// Attempts what is ready one by one: one event of the batch cannot be read, and the others need not go with it.
pub(super) async fn attempt_each(
    group: &Group,
    route: &Route,
    places: &Places,
    items: &mut [Tried],
    number: u32,
) -> Option<Duration> {
    let mut wait = None;
    for tried in items.iter_mut().filter(|tried| tried.is_ready()) {
        wait = wait.max(attempt_all(group, route, places, std::slice::from_mut(tried), number).await);
    }
    wait
}

pub(super) fn is_unreadable(outcome: &Outcome) -> bool {
    matches!(&outcome.verdict, Verdict::Failed(error) if error.source_error().is::<DecodeError>())
}

fn is_failure(reply: &Reply) -> bool {
    let failed =
        |outcome: &Outcome| matches!(&outcome.verdict, Verdict::Failed(error) if error.is_retryable());
    match reply {
        Reply::All(outcome) => failed(outcome),
        Reply::Each(outcomes) => outcomes.iter().any(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest block that glibc's allocator gives out on its fast path is 1,032 bytes.
    #[test]
    fn the_future_of_an_event_fits_a_small_block() {
        fn size_of_future<A, B, C, D, E, F: Future>(_: impl Fn(A, B, C, D, E) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size_of_future(process) <= 1024, "{} bytes", size_of_future(process));
    }
}
