//! Telling the broker: what became of deliveries, that they are still worked on, and that the group is left.

use std::sync::Arc;
use std::time::Duration;

use super::Group;
use super::process::{Decided, Fate};
use crate::dead_letter::DeadLetter;
use crate::middleware::RetryPolicy;
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
/// it succeeds or the group is left, so that a dead letter that cannot be stored stays a delivery. Only an
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
    let settlement = |decided: Decided| match decided.fate {
        Fate::Settle(settle) => Some(Settlement { token: decided.token, settle }),
        Fate::Leave => None,
    };
    let batch: Vec<Settlement> = decided.into_iter().filter_map(settlement).collect();
    if batch.is_empty() {
        return Settled { over, again: Vec::new(), failed: 0 };
    }
    let dead: Vec<(Token, Box<DeadLetter>)> = batch.iter().filter_map(dead_letter_of).collect();
    let failures = match settler.settle(batch).await {
        Ok(()) => Vec::new(),
        Err(error) => error.failed,
    };
    let unsettled = |token| failures.iter().any(|(settlement, _)| settlement.token == token);
    for (_, dead_letter) in dead.iter().filter(|(token, _)| !unsettled(*token)) {
        group.dead_letter_stored(dead_letter);
    }
    let mut again = Vec::new();
    for (settlement, error) in failures {
        let Some(Settlement { token, settle }) = to_settle_again(&group, settlement, &error) else {
            continue;
        };
        if let Some(index) = over.iter().position(|(done, _)| *done == token) {
            let (token, bytes) = over.swap_remove(index);
            again.push(Decided { token, bytes, fate: Fate::Settle(settle) });
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

fn to_settle_again(group: &Group, settlement: Settlement, error: &Error) -> Option<Settlement> {
    let is_dead_letter = matches!(settlement.settle, Settle::DeadLetter(_));
    let again = error.is_retryable() || (is_dead_letter && error.kind() != ErrorKind::Closed);
    let doing = if is_dead_letter { "storing a dead letter" } else { "settling a delivery" };
    let (group, error) = (&group.name, error_chain(error));
    if again {
        tracing::warn!(group, error, "{doing} failed and is tried again");
    } else {
        tracing::error!(group, error, "{doing} failed; the delivery stays unsettled and comes again");
    }
    again.then_some(settlement)
}

fn dead_letter_of(settlement: &Settlement) -> Option<(Token, Box<DeadLetter>)> {
    match &settlement.settle {
        Settle::DeadLetter(dead_letter) => Some((settlement.token, dead_letter.clone())),
        Settle::Ack | Settle::Retry { .. } => None,
    }
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
