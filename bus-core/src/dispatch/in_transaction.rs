//! An attempt in a transaction of the handler's database: begin, with the events marked → attempt → outputs into the outbox →
//! commit. What does not come to the commit is rolled back, and nothing was handled.
//!
//! The mark is made first: of two copies of an event, in whatever processes, the second one waits for the first, and then
//! finds the mark or makes it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::attempt::attempt;
use super::commit::{panicked, pause};
use super::decide::{decide, decide_alike, leave};
use super::places::Places;
use super::process::{Stage, Tried, answer, attempt_each, is_unreadable, wrong_number};
use super::{Group, Route};
use crate::handler::{Context, HandlerError, Outcome, Output, Reply, Verdict};
use crate::inbox::{Begun, Inbox, Lent, UnitOfWork};
use crate::outbox::OutboxEvent;
use crate::transport::Settle;
use crate::{Elapsed, Error, ErrorKind, Head, RawEvent};

/// One attempt at everything that is ready, all of it in one transaction of `inbox`. Answers how long to wait before the
/// next one.
pub(super) async fn attempt_in_transaction(
    group: &Group,
    route: &Route,
    inbox: &dyn Inbox,
    places: &Places,
    items: &mut [Tried],
    number: u32,
) -> Option<Duration> {
    let permit = match &route.breaker {
        Some(breaker) => Some(places.wait_for(breaker.permit(group.bus.env())).await),
        None => None,
    };
    let Ok(Begun { unit, handled }) = begin(group, route, inbox, places, items).await else {
        leave(items);
        return None;
    };
    settle_handled(group, items, &handled);
    let last = items.iter().rposition(Tried::is_ready)?;
    let attempts = items[last].earlier_deliveries(route).saturating_add(number);
    let events: Vec<RawEvent> = ready(items).map(|tried| tried.item.event.clone()).collect();
    let lent = Lent(unit);
    let reply =
        attempt(Context { events: &events, attempt: attempts, group, route, unit: Some(&lent) }).await;
    let Lent(unit) = lent;
    if let Some(permit) = permit {
        answer(permit, &reply);
    }
    let failed = match reply.unwrap_or_else(|error| Reply::All(Verdict::Failed(error).into())) {
        Reply::Each(outcomes) if outcomes.len() != events.len() => {
            Reply::All(wrong_number(route, outcomes.len(), events.len()))
        }
        reply if succeeded(&reply) => {
            let (outputs, committed) = commit(group, route, inbox, places, items, unit, reply).await;
            match committed {
                Ok(()) => {
                    group.counters.outputs(outputs);
                    group.counters.handled(events.len());
                    items
                        .iter_mut()
                        .filter(|tried| tried.is_ready())
                        .for_each(|tried| tried.settle(Settle::Ack));
                    return None;
                }
                Err(error) => Reply::All(Verdict::Failed(HandlerError::from(error)).into()),
            }
        }
        reply => {
            // Rolled back before anything is waited for.
            drop(unit);
            reply
        }
    };
    match failed {
        Reply::All(outcome) if items.len() == 1 => decide(group, route, &mut items[0], outcome).await,
        Reply::All(outcome) if is_unreadable(&outcome) => {
            Box::pin(attempt_each(group, route, places, items, number)).await
        }
        Reply::All(outcome) => decide_alike(group, route, items, last, outcome).await,
        Reply::Each(outcomes) => decide_failed(group, route, inbox, places, items, number, outcomes).await,
    }
}

fn ready(items: &[Tried]) -> impl Iterator<Item = &Tried> {
    items.iter().filter(|tried| tried.is_ready())
}

fn succeeded(reply: &Reply) -> bool {
    let succeeded = |outcome: &Outcome| matches!(outcome.verdict, Verdict::Ack);
    match reply {
        Reply::All(outcome) => succeeded(outcome),
        Reply::Each(outcomes) => outcomes.iter().all(succeeded),
    }
}

/// Begins until there is an answer.
///
/// # Errors
///
/// Of kind [`ErrorKind::Closed`]: nobody will answer any more.
async fn begin(
    group: &Group,
    route: &Route,
    inbox: &dyn Inbox,
    places: &Places,
    items: &[Tried],
) -> Result<Begun, Error> {
    let keys: Vec<_> = ready(items)
        .map(|tried| route.processed_key(tried.key.as_ref().expect("what is ready has its key").key()))
        .collect();
    let mut failed = 0;
    loop {
        let begun = group.bus.env().timeout(route.timeout, inbox.begin(&group.name, &keys)).await;
        let error = match begun {
            Ok(Ok(begun)) => return Ok(begun),
            Ok(Err(error)) if error.kind() == ErrorKind::Closed => {
                tracing::error!(
                    group = group.name,
                    error = crate::error_chain(&error),
                    "the inbox is closed, and events are left to come again"
                );
                return Err(error);
            }
            Ok(Err(error)) => error,
            Err(Elapsed) => {
                let limit = route.timeout;
                let what = format!(
                    "beginning the transaction of an event: not within {limit:?}; another one that has marked it may be open, \
                     or all connections in use"
                );
                Error::new(ErrorKind::Transport, what)
            }
        };
        failed += 1;
        places.wait_for(pause(group, "beginning the transaction of an event", failed, &error)).await;
    }
}

/// Decides what is ready and was handled before, as `handled` says of each.
fn settle_handled(group: &Group, items: &mut [Tried], handled: &[bool]) {
    let ready = items.iter_mut().filter(|tried| tried.is_ready());
    for (tried, _) in ready.zip(handled).filter(|(_, handled)| **handled) {
        group.counters.duplicate();
        tried.settle(Settle::Ack);
    }
}

/// Commits `unit` with the outputs of `reply`. Answers how many they are, and what became of it; where that is not known, the marks
/// say.
async fn commit(
    group: &Group,
    route: &Route,
    inbox: &dyn Inbox,
    places: &Places,
    items: &[Tried],
    unit: Box<dyn UnitOfWork>,
    reply: Reply,
) -> (usize, Result<(), Error>) {
    let outputs = match outputs(group, route, items, reply) {
        Ok(outputs) => outputs,
        Err(error) => return (0, Err(error)),
    };
    let number = outputs.len();
    let committed = match group.bus.env().timeout(route.timeout, unit.commit(outputs)).await {
        Ok(committed) => committed,
        Err(Elapsed) => {
            let what =
                format!("committing the transaction of an event: no answer within {:?}", route.timeout);
            Err(Error::new(ErrorKind::Unknown, what))
        }
    };
    match committed {
        Err(error) if error.kind() == ErrorKind::Unknown => {
            // A transaction that is still open holds its marks, and this waits for it.
            let committed = match begin(group, route, inbox, places, items).await {
                Ok(Begun { handled, .. }) if handled.iter().all(|handled| *handled) => Ok(()),
                Ok(_) => Err(error),
                Err(closed) => Err(closed),
            };
            (number, committed)
        }
        committed => (number, committed),
    }
}

/// What follows from the events of `reply`, all of which were handled.
fn outputs(group: &Group, route: &Route, items: &[Tried], reply: Reply) -> Result<Vec<OutboxEvent>, Error> {
    let of = |cause: &Head, outputs: &[Output]| {
        if outputs.is_empty() {
            return Ok(Vec::new());
        }
        let publisher = group.bus.publisher().caused_by_head(cause);
        let encoded = catch_unwind(AssertUnwindSafe(|| publisher.outbox_outputs(&route.origin, outputs)));
        encoded.unwrap_or_else(|panic| Err(panicked(route, &*panic)))
    };
    let causes = ready(items).map(|tried| tried.item.event.head());
    match reply {
        Reply::All(outcome) => {
            causes.last().map_or_else(|| Ok(Vec::new()), |cause| of(cause, &outcome.outputs))
        }
        Reply::Each(outcomes) => {
            let mut all = Vec::new();
            for (cause, outcome) in causes.zip(outcomes) {
                all.append(&mut of(cause, &outcome.outputs)?);
            }
            Ok(all)
        }
    }
}

/// Decides what has failed in a batch. The others were rolled back with it, and are handled again at once, without it, which counts
/// as no failure of theirs. Answers how long what has failed is to wait then.
async fn decide_failed(
    group: &Group,
    route: &Route,
    inbox: &dyn Inbox,
    places: &Places,
    items: &mut [Tried],
    number: u32,
    outcomes: Vec<Outcome>,
) -> Option<Duration> {
    let env = group.bus.env();
    let mut until = None;
    for (tried, outcome) in items.iter_mut().filter(|tried| tried.is_ready()).zip(outcomes) {
        if !matches!(outcome.verdict, Verdict::Ack)
            && let Some(wait) = decide(group, route, tried, outcome).await
        {
            tried.stage = Stage::HeldBack;
            until = until.max(Some(env.instant() + wait));
        }
    }
    let mut number = number;
    while until.is_some() && items.iter().any(Tried::is_ready) {
        number = number.saturating_add(1);
        group.counters.retried();
        // Boxed, since it may come here again.
        let wait = Box::pin(attempt_in_transaction(group, route, inbox, places, items, number)).await;
        if let (Some(wait), true) = (wait, items.iter().any(Tried::is_ready)) {
            places.wait_for(env.sleep(wait)).await;
        }
    }
    for tried in items.iter_mut().filter(|tried| tried.stage == Stage::HeldBack) {
        tried.stage = Stage::Ready;
    }
    until.map(|until| until.saturating_duration_since(env.instant()))
}
