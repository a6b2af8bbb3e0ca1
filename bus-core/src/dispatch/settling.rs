//! Telling the broker: what became of deliveries, that they are still worked on, and that the group is left.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::{Stream, StreamExt};

use super::Group;
use super::process::{Cause, Decided, Fate, ToStore};
use crate::dead_letter::{DeadLetter, Reason};
use crate::middleware::RetryPolicy;
use crate::publish::{count_published, event_types};
use crate::transport::{Settle, Settlement, Settler, Token};
use crate::{Error, ErrorKind, error_chain};

/// What came of one try at settling.
pub(super) struct Settled {
    /// Deliveries that were settled or left, with their bytes.
    pub(super) over: Vec<(Token, usize)>,
    /// What failed, to be tried again.
    pub(super) again: Vec<Decided>,
    /// How many tries that makes.
    pub(super) failed: u32,
}

/// Settles what was decided, behind a pause where `failed` tries were made before. What fails is to be tried again until
/// it succeeds or the group is left, so that a dead letter or an output that cannot be stored stays a delivery. Only an
/// acknowledgement that the broker refuses for good is given up: it comes again.
pub(super) async fn settle(
    group: Arc<Group>,
    settler: Arc<dyn Settler>,
    decided: Vec<Decided>,
    failed: u32,
) -> Settled {
    if failed > 0 {
        let env = group.bus.env();
        env.sleep(RetryPolicy::default().delay(env, failed)).await;
    }
    let mut over: Vec<(Token, usize)> =
        decided.iter().map(|decided| (decided.token, decided.bytes)).collect();
    let causes: Vec<Cause> = match group.exactly_once {
        true => decided.iter().filter_map(|decided| decided.cause().cloned()).collect(),
        false => Vec::new(),
    };
    let batch: Vec<Settlement> = decided.into_iter().filter_map(Decided::into_settlement).collect();
    if batch.is_empty() {
        return Settled { over, again: Vec::new(), failed: 0 };
    }
    let outputs: Vec<_> = match group.exactly_once {
        true => batch.iter().filter_map(outputs_of).collect(),
        false => Vec::new(),
    };
    let dead: Vec<(Token, Box<DeadLetter>)> = batch.iter().filter_map(dead_letter_of).collect();
    let failures = match settler.settle(batch).await {
        Ok(()) => Vec::new(),
        Err(error) => error.failed,
    };
    let unsettled = |token| failures.iter().any(|(settlement, _)| settlement.token == token);
    for (_, dead_letter) in dead.iter().filter(|(token, _)| !unsettled(*token)) {
        group.dead_letter_stored(dead_letter);
    }
    for (_, event_types) in outputs.into_iter().filter(|(token, _)| !unsettled(*token)) {
        group.counters.outputs(event_types.len());
        event_types.into_iter().flatten().for_each(count_published);
    }
    let mut again = Vec::new();
    for (settlement, error) in failures {
        let token = settlement.token;
        let cause = causes.iter().find(|cause| cause.delivery.token == token);
        let Some(fate) = to_settle_again(&group, settlement, cause, &error) else { continue };
        if let Some(index) = over.iter().position(|(done, _)| *done == token) {
            let (_, bytes) = over.swap_remove(index);
            again.push(Decided { token, bytes, fate });
        }
    }
    Settled { over, again, failed: failed.saturating_add(1) }
}

/// Leaves the group; where the broker cannot be told, it finds out by itself.
pub(crate) async fn leave(group: &Group, settler: &dyn Settler, limit: Duration) {
    if let Err(error) = settler.leave(limit).await {
        tracing::warn!(group = group.name, error = error_chain(&error), "leaving the group failed");
    }
}

/// Leaves while settlements go on: those that can be carried out are, and the others end with the membership.
pub(super) async fn leave_beside<E>(
    leave: impl Future<Output = ()>,
    mut settling: impl Stream<Item = E> + Unpin,
) {
    let mut leave = pin!(leave);
    poll_fn(|cx| {
        let left = leave.as_mut().poll(cx);
        while let Poll::Ready(Some(_)) = settling.poll_next_unpin(cx) {}
        left
    })
    .await;
}

fn to_settle_again(
    group: &Group,
    settlement: Settlement,
    cause: Option<&Cause>,
    error: &Error,
) -> Option<Fate> {
    if let (Some(cause), ErrorKind::Rejected, false) = (cause, error.kind(), error.is_retryable()) {
        let what = format!(
            "storing an output of a handler, which the broker will never take: {}",
            error_chain(error)
        );
        let failure = group.failure(Reason::Permanent, what).of_handler(&cause.handler, cause.attempts);
        return Some(Fate::Settle(group.dead_letter(cause.delivery.clone(), failure)));
    }
    let is_dead_letter = matches!(settlement.settle, Settle::DeadLetter(_));
    // What only this process knows must not be given up, nor what others wait for.
    let is_kept = is_dead_letter || group.exactly_once;
    let again = error.is_retryable() || (is_kept && error.kind() != ErrorKind::Closed);
    let doing = match (is_dead_letter, cause) {
        (true, _) => "storing a dead letter",
        (false, Some(_)) => "storing outputs with their settlement",
        (false, None) => "settling a delivery",
    };
    let (group, error) = (&group.name, error_chain(error));
    if again {
        tracing::warn!(group, error, "{doing} failed and is tried again");
    } else {
        tracing::error!(group, error, "{doing} failed; the delivery stays unsettled and comes again");
    }
    again.then(|| match cause {
        Some(cause) => Fate::Store(Box::new(ToStore { outputs: settlement.outputs, cause: cause.clone() })),
        None => Fate::Settle(settlement.settle),
    })
}

fn dead_letter_of(settlement: &Settlement) -> Option<(Token, Box<DeadLetter>)> {
    match &settlement.settle {
        Settle::DeadLetter(dead_letter) => Some((settlement.token, dead_letter.clone())),
        Settle::Ack | Settle::Retry { .. } => None,
    }
}

/// The types of the outputs that come with a settlement, where there are any.
fn outputs_of(settlement: &Settlement) -> Option<(Token, Vec<Option<Cow<'static, str>>>)> {
    (!settlement.outputs.is_empty()).then(|| (settlement.token, event_types(&settlement.outputs)))
}

/// Three times within what the broker allows, so that one of them may get lost.
pub(super) fn keep_alive_every(group: &Group) -> Option<Duration> {
    group.bus.capabilities().settle_within.map(|limit| limit / 3)
}

/// Says that the deliveries of `tokens` are still worked on.
pub(super) async fn keep_alive(group: Arc<Group>, settler: Arc<dyn Settler>, tokens: Vec<Token>) {
    let limit = keep_alive_every(&group).unwrap_or_default();
    let kept = group.bus.env().timeout(limit, settler.keep_alive(&tokens)).await;
    let error = match kept {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error_chain(&error),
        Err(elapsed) => elapsed.to_string(),
    };
    tracing::warn!(group = group.name, error, "keeping deliveries alive failed; they may come again");
}
