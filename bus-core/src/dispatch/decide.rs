//! What follows from an attempt: commit, another attempt, a delay by the broker, or a dead letter.
//!
//! While the handler's breaker is not closed, failed attempts are not counted against the event, so that a dependency
//! that is down burns nothing into dead letters.

use std::time::Duration;

use super::commit::{Unit, commit};
use super::process::{Fate, Tried};
use super::router::FAR;
use super::{Group, Route};
use crate::dead_letter::Reason;
use crate::event::{DecodeError, DecodeErrorKind};
use crate::handler::{HandlerError, Outcome, Verdict};
use crate::middleware::BreakerState;
use crate::transport::Settle;
use crate::{Error, ErrorKind, error_chain};

/// An outcome for each item that is ready.
pub(super) async fn decide_each(
    group: &Group,
    route: &Route,
    items: &mut [Tried],
    outcomes: Vec<Outcome>,
) -> Option<Duration> {
    let mut wait = None;
    for (tried, outcome) in items.iter_mut().filter(|tried| tried.is_ready()).zip(outcomes) {
        wait = wait.max(decide(group, route, tried, outcome).await);
    }
    wait
}

/// The same outcome for all items that are ready; what follows from it is committed once, caused by the item at `last`.
pub(super) async fn decide_alike(
    group: &Group,
    route: &Route,
    items: &mut [Tried],
    last: usize,
    outcome: Outcome,
) -> Option<Duration> {
    let Outcome { mut verdict, outputs } = outcome;
    if is_closed(&verdict) {
        leave(items);
        return None;
    }
    let mut to_store = None;
    if let (Verdict::Ack, false) = (&verdict, outputs.is_empty()) {
        let cause = items[last].item.event.head();
        match commit(group, route, Unit { cause, outputs, key: None }).await {
            Ok(outputs) => to_store = outputs,
            Err(error) if error.kind() == ErrorKind::Closed => {
                leave(items);
                return None;
            }
            Err(error) if error.kind() == ErrorKind::Forgotten => verdict = Verdict::Failed(error.into()),
            Err(error) => verdict = Verdict::Failed(HandlerError::permanent(error)),
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
    if let Some(outputs) = to_store {
        // The last one of the partition: what came before it is settled with it, or earlier.
        items[last].store(route, outputs);
    }
    wait
}

/// Leaves what is ready: it comes again.
pub(super) fn leave(items: &mut [Tried]) {
    items.iter_mut().filter(|tried| tried.is_ready()).for_each(|tried| tried.decide(Fate::Leave));
}

/// Whether something that the handler uses is closed, which is no fault of the event.
fn is_closed(verdict: &Verdict) -> bool {
    let Verdict::Failed(error) = verdict else { return false };
    let of_ours = error.source_error().downcast_ref::<Error>();
    of_ours.is_some_and(|error| error.kind() == ErrorKind::Closed)
}

/// Decides one item, or answers how long to wait before it is tried again.
pub(super) async fn decide(
    group: &Group,
    route: &Route,
    tried: &mut Tried,
    outcome: Outcome,
) -> Option<Duration> {
    if is_closed(&outcome.verdict) {
        tried.decide(Fate::Leave);
        return None;
    }
    match outcome.verdict {
        Verdict::Ack => {
            let unit =
                Unit { cause: tried.item.event.head(), outputs: outcome.outputs, key: tried.key.as_ref() };
            match commit(group, route, unit).await {
                Ok(to_store) => {
                    group.counters.handled(1);
                    match to_store {
                        None => tried.settle(Settle::Ack),
                        Some(outputs) => tried.store(route, outputs),
                    }
                }
                // Its outputs are of somebody who was forgotten since it was opened.
                Err(error) if error.kind() == ErrorKind::Forgotten => {
                    return failed(group, route, tried, &HandlerError::from(error));
                }
                Err(error) => not_committed(group, route, tried, error),
            }
            None
        }
        Verdict::RetryAfter(after) => hold_back(group, route, tried, after),
        Verdict::DeadLetter(reason) => {
            let attempts = tried.failed_attempts(route).saturating_add(1);
            let failure = group.failure(Reason::Requested, reason).of_handler(&route.name, attempts);
            tried.settle(group.dead_letter(tried.item.delivery.clone(), failure));
            None
        }
        Verdict::Failed(error) => failed(group, route, tried, &error),
    }
}

/// The handler has succeeded, and its outputs can never be published.
fn not_committed(group: &Group, route: &Route, tried: &mut Tried, error: Error) {
    if error.kind() == ErrorKind::Closed {
        return tried.decide(Fate::Leave);
    }
    tried.failed += 1;
    tried.settle(give_up(group, route, tried, &HandlerError::permanent(error)));
}

fn failed(group: &Group, route: &Route, tried: &mut Tried, error: &HandlerError) -> Option<Duration> {
    let held = route.breaker.as_ref().is_some_and(|breaker| breaker.state() != BreakerState::Closed);
    if !held || !error.is_retryable() {
        tried.failed += 1;
    }
    let attempts = tried.failed_attempts(route);
    if !error.is_retryable() || attempts >= route.retry.attempts {
        tried.settle(give_up(group, route, tried, error));
        return None;
    }
    let (id, error) = (&tried.item.event.head().event_id, error_chain(error.source_error()));
    let what = "an attempt failed and is repeated";
    // Once where somebody looks, and not for each of many attempts.
    match attempts {
        0 | 1 => tracing::warn!(group = group.name, handler = route.name, event_id = %id, error, "{what}"),
        _ => tracing::debug!(group = group.name, handler = route.name, event_id = %id, error, "{what}"),
    }
    let delay = route.retry.delay(group.bus.env(), attempts.max(1));
    // A broker counts each delivery as an attempt, and these are not to count.
    if route.retry.delayed && !held { hold_back(group, route, tried, delay) } else { Some(delay) }
}

/// Leaves the waiting to the broker where order does not matter to the handler and the broker can; otherwise the lane
/// waits.
fn hold_back(group: &Group, route: &Route, tried: &mut Tried, after: Duration) -> Option<Duration> {
    if route.retry.delayed && group.bus.capabilities().delayed_retry {
        group.counters.retried();
        tried.settle(Settle::Retry { after: after.min(FAR) });
        return None;
    }
    Some(after.min(FAR))
}

/// The settlement of an item that the handler cannot take.
pub(super) fn give_up(group: &Group, route: &Route, tried: &Tried, error: &HandlerError) -> Settle {
    let reason = match error.source_error().downcast_ref::<DecodeError>().map(DecodeError::kind) {
        Some(DecodeErrorKind::UnknownVersion) => Reason::UnknownVersion,
        Some(_) => Reason::Undecodable,
        None if error.is_retryable() => Reason::Exhausted,
        None => Reason::Permanent,
    };
    let failure = group
        .failure(reason, error_chain(error.source_error()))
        .of_handler(&route.name, tried.failed_attempts(route));
    group.dead_letter(tried.item.delivery.clone(), failure)
}
