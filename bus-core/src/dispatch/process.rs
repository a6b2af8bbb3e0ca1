//! The chain around a handler: open( dedup( retry( breaker( attempt )))), then commit.
//!
//! The breaker sits inside the retries: an attempt waits while it is open, and attempts that opened it are not
//! counted against the event, so that a dependency that is down burns nothing into dead letters.

use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument;

use super::attempt::attempt;
use super::commit::{Unit, commit};
use super::group::KeyGuard;
use super::trace::process_span;
use super::{Group, Route};
use crate::dead_letter::Reason;
use crate::event::{DecodeError, DecodeErrorKind};
use crate::handler::{HandlerError, Idempotency, Outcome, Reply, Verdict};
use crate::middleware::BreakerState;
use crate::transport::{Delivery, Settle, Settlement};
use crate::{RawEvent, error_chain};

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
    pub(super) settlement: Settlement,
    pub(super) bytes: usize,
}

/// An item on its way through the attempts.
struct Tried<'a> {
    item: Item,
    key: Option<KeyGuard<'a>>,
    opened: bool,
    failed: u32,
    settle: Option<Settle>,
}

/// Takes `items` (one, unless the handler takes batches) through the chain.
pub(super) fn process(
    group: Arc<Group>,
    route: Arc<Route>,
    first: Item,
    rest: Vec<Item>,
) -> impl Future<Output = Finished> + Send {
    let span = process_span(&group, &route, &first.event);
    let work = async move {
        let opened = group.bus.layers().is_empty();
        let tried = |item| Tried { item, key: None, opened, failed: 0, settle: None };
        if rest.is_empty() {
            let mut only = tried(first);
            run(&group, &route, std::slice::from_mut(&mut only)).await;
            Finished { first: decided(only), rest: Vec::new() }
        } else {
            let mut all: Vec<Tried<'_>> = std::iter::once(first).chain(rest).map(tried).collect();
            run(&group, &route, &mut all).await;
            let mut decided = all.into_iter().map(decided);
            let first = decided.next().expect("there is a first item");
            Finished { first, rest: decided.collect() }
        }
    };
    work.instrument(span)
}

impl Tried<'_> {
    /// Whether the handler is to see it.
    fn is_ready(&self) -> bool {
        self.settle.is_none() && self.opened
    }
}

fn decided(tried: Tried<'_>) -> Decided {
    let settle = tried.settle.expect("the run ends when every item is decided");
    let delivery = tried.item.delivery;
    Decided { bytes: delivery.message.size(), settlement: Settlement { token: delivery.token, settle } }
}

/// Runs until each item is decided.
async fn run<'a>(group: &'a Group, route: &'a Route, items: &mut [Tried<'a>]) {
    if !matches!(route.idempotency, Idempotency::None) {
        for tried in items.iter_mut() {
            Box::pin(recognise(group, route, tried)).await;
        }
    }
    let mut round = 0;
    while items.iter().any(|tried| tried.settle.is_none()) {
        round += 1;
        if round > 1 {
            group.counters.retried();
        }
        let wait = one_round(group, route, items, round).await;
        if let Some(wait) = wait {
            group.bus.env().sleep(wait).await;
        }
    }
}

/// Decides items that were handled before, where the handler is idempotent.
async fn recognise<'a>(group: &'a Group, route: &Route, tried: &mut Tried<'a>) {
    let event = &tried.item.event;
    let key = match &route.idempotency {
        Idempotency::None => return,
        Idempotency::EventId => event.head().event_id.to_string(),
        Idempotency::NaturalKey(key) => match key(event) {
            Ok(key) => format!("{}#{key}", route.name),
            Err(error) => {
                tried.settle = Some(give_up(group, route, tried, &HandlerError::permanent(error)));
                return;
            }
        },
    };
    let env = group.bus.env();
    let guard = group.keys_in_work.enter(&key, env).await;
    let mut failed = 0;
    let known = loop {
        match group.processed.contains(&group.name, &key).await {
            Ok(known) => break known,
            Err(error) => {
                failed += 1;
                let error = error_chain(&error);
                tracing::warn!(group = group.name, error, "asking whether an event was processed failed");
                env.sleep(route.retry.delay(env, failed)).await;
            }
        }
    };
    if known {
        group.counters.duplicate();
        tried.settle = Some(Settle::Ack);
    } else {
        tried.key = Some(guard);
    }
}

/// One attempt at everything that is undecided. Answers how long to wait before the next one.
async fn one_round(group: &Group, route: &Route, items: &mut [Tried<'_>], round: u32) -> Option<Duration> {
    if !group.bus.layers().is_empty() {
        Box::pin(open(group, route, items)).await;
    }
    let batch: Vec<RawEvent>;
    let Some(last) = items.iter().rposition(Tried::is_ready) else {
        return Some(route.retry.delay(group.bus.env(), round));
    };
    let events = match items {
        [only] => std::slice::from_ref(&only.item.event),
        _ => {
            let ready = items.iter().filter(|tried| tried.is_ready());
            batch = ready.map(|tried| tried.item.event.clone()).collect();
            &batch[..]
        }
    };
    let permit = match &route.breaker {
        Some(breaker) => Some(breaker.permit(group.bus.env()).await),
        None => None,
    };
    let reply = attempt(group, route, events, round).await;
    if let Some(permit) = permit {
        if matches!(&reply, Ok(reply) if !is_failure(reply)) { permit.succeeded() } else { permit.failed() }
    }
    let asked = events.len();
    match reply.unwrap_or_else(|error| Reply::All(Verdict::Failed(error).into())) {
        Reply::All(outcome) if items.len() == 1 => decide(group, route, &mut items[0], outcome).await,
        Reply::All(outcome) => Box::pin(decide_alike(group, route, items, last, outcome)).await,
        Reply::Each(outcomes) if outcomes.len() == asked => {
            // Boxed: most events come alone, and need not carry the room for this.
            Box::pin(decide_each(group, route, items, outcomes)).await
        }
        Reply::Each(outcomes) => {
            let error = format!(
                "handler `{}` returned {} outcomes for {asked} events; return one for each, in their order",
                route.name,
                outcomes.len(),
            );
            let outcome = Verdict::Failed(HandlerError::retryable(error)).into();
            Box::pin(decide_alike(group, route, items, last, outcome)).await
        }
    }
}

fn is_failure(reply: &Reply) -> bool {
    let failed =
        |outcome: &Outcome| matches!(&outcome.verdict, Verdict::Failed(error) if error.is_retryable());
    match reply {
        Reply::All(outcome) => failed(outcome),
        Reply::Each(outcomes) => outcomes.iter().any(failed),
    }
}

/// Takes events through the bus's layers, from the wire inwards.
async fn open(group: &Group, route: &Route, items: &mut [Tried<'_>]) {
    for tried in items.iter_mut().filter(|tried| tried.settle.is_none() && !tried.opened) {
        tried.opened = true;
        for layer in group.bus.layers().iter().rev() {
            let Err(error) = layer.incoming(&mut tried.item.event).await else { continue };
            tried.opened = false;
            tried.failed += 1;
            if !error.is_retryable() || tried.failed >= route.retry.attempts {
                let failure = group.failure(Reason::Refused, error_chain(&error));
                tried.settle = Some(group.dead_letter(tried.item.delivery.clone(), failure));
            }
            break;
        }
    }
}

/// An outcome for each undecided item.
async fn decide_each(
    group: &Group,
    route: &Route,
    items: &mut [Tried<'_>],
    outcomes: Vec<Outcome>,
) -> Option<Duration> {
    let mut wait = None;
    for (tried, outcome) in items.iter_mut().filter(|tried| tried.is_ready()).zip(outcomes) {
        wait = wait.max(decide(group, route, tried, outcome).await);
    }
    wait
}

/// The same outcome for all undecided items; what follows from it is committed once.
async fn decide_alike(
    group: &Group,
    route: &Route,
    items: &mut [Tried<'_>],
    last: usize,
    outcome: Outcome,
) -> Option<Duration> {
    let Outcome { verdict, outputs } = outcome;
    if let (Verdict::Ack, false) = (&verdict, outputs.is_empty()) {
        let cause = items[last].item.event.head();
        if let Err(error) = commit(group, route, Unit { cause, outputs, key: None }).await {
            let error = HandlerError::permanent(error);
            return Box::pin(decide_alike(group, route, items, last, Verdict::Failed(error).into())).await;
        }
    }
    let mut wait = None;
    for tried in items.iter_mut().filter(|tried| tried.is_ready()) {
        let same = match &verdict {
            Verdict::Ack => Verdict::Ack,
            Verdict::RetryAfter(delay) => Verdict::RetryAfter(*delay),
            Verdict::DeadLetter(reason) => Verdict::DeadLetter(reason.clone()),
            Verdict::Failed(error) if error.is_retryable() => {
                Verdict::Failed(HandlerError::retryable(error_chain(error.source_error())))
            }
            Verdict::Failed(error) => {
                Verdict::Failed(HandlerError::permanent(error_chain(error.source_error())))
            }
        };
        wait = wait.max(decide(group, route, tried, same.into()).await);
    }
    wait
}

/// Decides one item, or answers how long to wait before it is tried again.
async fn decide(group: &Group, route: &Route, tried: &mut Tried<'_>, outcome: Outcome) -> Option<Duration> {
    match outcome.verdict {
        Verdict::Ack => {
            let unit =
                Unit { cause: tried.item.event.head(), outputs: outcome.outputs, key: tried.key.as_ref() };
            tried.settle = match commit(group, route, unit).await {
                Ok(()) => {
                    group.counters.handled(1);
                    Some(Settle::Ack)
                }
                Err(error) => Some(give_up(group, route, tried, &HandlerError::permanent(error))),
            };
            None
        }
        Verdict::RetryAfter(after) => hold_back(group, route, tried, after),
        Verdict::DeadLetter(reason) => {
            let failure = group.failure(Reason::Requested, reason).of_handler(&route.name, tried.failed + 1);
            tried.settle = Some(group.dead_letter(tried.item.delivery.clone(), failure));
            None
        }
        Verdict::Failed(error) => {
            let breaker_open =
                route.breaker.as_ref().is_some_and(|breaker| breaker.state() != BreakerState::Closed);
            if !breaker_open || !error.is_retryable() {
                tried.failed += 1;
            }
            if !error.is_retryable() || attempts_made(route, tried) >= route.retry.attempts {
                tried.settle = Some(give_up(group, route, tried, &error));
                return None;
            }
            tracing::debug!(
                group = group.name,
                handler = route.name,
                event_id = %tried.item.event.head().event_id,
                error = error_chain(error.source_error()),
                "an attempt failed and is repeated",
            );
            let delay = route.retry.delay(group.bus.env(), tried.failed.max(1));
            if route.retry.delayed { hold_back(group, route, tried, delay) } else { Some(delay) }
        }
    }
}

/// Attempts so far: with delays by the broker, each delivery is one.
fn attempts_made(route: &Route, tried: &Tried<'_>) -> u32 {
    let earlier = if route.retry.delayed { tried.item.delivery.attempt.saturating_sub(1) } else { 0 };
    earlier + tried.failed
}

/// Leaves the waiting to the broker where order does not matter to the handler and the broker can; otherwise the lane
/// waits.
fn hold_back(group: &Group, route: &Route, tried: &mut Tried<'_>, after: Duration) -> Option<Duration> {
    if route.retry.delayed && group.bus.capabilities().delayed_retry {
        group.counters.retried();
        tried.settle = Some(Settle::Retry { after });
        return None;
    }
    Some(after)
}

fn give_up(group: &Group, route: &Route, tried: &Tried<'_>, error: &HandlerError) -> Settle {
    let reason = match error.source_error().downcast_ref::<DecodeError>().map(DecodeError::kind) {
        Some(DecodeErrorKind::UnknownVersion) => Reason::UnknownVersion,
        Some(_) => Reason::Undecodable,
        None if error.is_retryable() => Reason::Exhausted,
        None => Reason::Permanent,
    };
    let failure = group
        .failure(reason, error_chain(error.source_error()))
        .of_handler(&route.name, attempts_made(route, tried));
    group.dead_letter(tried.item.delivery.clone(), failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest block that glibc's allocator gives out on its fast path is 1,032 bytes.
    #[test]
    fn the_future_of_an_event_fits_a_small_block() {
        fn size_of_future<A, B, C, D, F: Future>(_: impl Fn(A, B, C, D) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size_of_future(process) <= 1024, "{} bytes", size_of_future(process));
    }
}
