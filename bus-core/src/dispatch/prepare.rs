//! What comes before a handler's attempt: the bus's layers open the event, and events that were handled before are
//! recognised.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::futures::Notified;

use super::decide::give_up;
use super::process::{Stage, Tried};
use super::router::decoded;
use super::{Group, Route};
use crate::dead_letter::Reason;
use crate::handler::{HandlerError, Idempotency};
use crate::panic_message;
use crate::transport::Settle;
use crate::{Error, ErrorKind, RawEvent, error_chain};

/// What is to be waited for before the next round, where nothing is ready.
#[derive(Default)]
pub(super) struct Prepared<'a> {
    /// Until a layer is asked again.
    pub(super) wait: Option<Duration>,
    /// Until a key is free that somebody else works on.
    pub(super) freed: Option<Notified<'a>>,
}

impl Prepared<'_> {
    /// Whether there is anything to do; most handlers have neither layers nor keys, and their items are ready at once.
    pub(super) fn is_needed(group: &Group, route: &Route, items: &mut [Tried]) -> bool {
        if !group.bus.inner.layers.take_deliveries() && matches!(route.idempotency, Idempotency::None) {
            items.iter_mut().for_each(|tried| tried.stage = Stage::Ready);
        }
        if group.bus.inner.layers.open() {
            let failed = |tried: &&mut Tried| tried.failed > 0 && tried.stage == Stage::Ready;
            items.iter_mut().filter(failed).for_each(|tried| tried.stage = Stage::Stale);
        }
        items.iter().any(|tried| tried.fate.is_none() && tried.stage != Stage::Ready)
    }
}

/// Makes ready what can be.
pub(super) async fn prepare<'a>(group: &'a Group, route: &Route, items: &mut [Tried]) -> Prepared<'a> {
    // Before any key is asked for, so that no key is freed unheard.
    let freed = group.keys_in_work.freed();
    let mut prepared = Prepared::default();
    let mut blocked = false;
    for tried in items.iter_mut().filter(|tried| tried.fate.is_none()) {
        if matches!(tried.stage, Stage::Sealed | Stage::Stale) {
            prepared.wait = prepared.wait.max(open(group, route, tried).await);
        }
        if tried.stage == Stage::Opened && tried.fate.is_none() {
            blocked |= recognise(group, route, tried).await;
        }
    }
    if blocked {
        prepared.freed = Some(freed);
    }
    prepared
}

/// Takes an event through the bus's layers, from the wire inwards: through all of them or, for this time, none. Answers
/// how long to wait where one of them failed and is to be asked again.
async fn open(group: &Group, route: &Route, tried: &mut Tried) -> Option<Duration> {
    let (mut event, next) = match tried.stage {
        Stage::Stale => match decoded(&**group.bus.codec(), tried.item.event.message(), None) {
            Ok(decoded) => (RawEvent::new(decoded, Arc::clone(&tried.item.delivery.message)), Stage::Ready),
            Err(error) => {
                let failure = group.failure(Reason::Undecodable, error_chain(&error));
                tried.settle(group.dead_letter(tried.item.delivery.clone(), failure));
                return None;
            }
        },
        _ => (tried.item.event.clone(), Stage::Opened),
    };
    for layer in group.bus.inner.layers.inwards() {
        let opened = AssertUnwindSafe(layer.incoming(&mut event)).catch_unwind().await;
        let Err(error) = opened.unwrap_or_else(|panic| {
            let what = format!("opening an event: the layer {layer:?} panicked: {}", panic_message(&*panic));
            Err(Error::new(ErrorKind::Layer, what).retryable(true))
        }) else {
            continue;
        };
        tried.failed += 1;
        if error.is_retryable() && tried.failed_attempts(route) < route.retry.attempts {
            return Some(route.retry.delay(group.bus.env(), tried.failed));
        }
        let failure = group.failure(Reason::Refused, error_chain(&error));
        tried.settle(group.dead_letter(tried.item.delivery.clone(), failure));
        return None;
    }
    tried.item.event = event;
    tried.stage = next;
    None
}

/// Decides an item that was handled before, where the handler is idempotent. Answers whether somebody else works on its
/// key: another lane, or an earlier event of the same batch.
async fn recognise(group: &Group, route: &Route, tried: &mut Tried) -> bool {
    let key = match key_of(route, &tried.item.event) {
        Ok(Some(key)) => key,
        Ok(None) => {
            tried.stage = Stage::Ready;
            return false;
        }
        Err(error) => {
            tried.settle(give_up(group, route, tried, &error));
            return false;
        }
    };
    let Some(guard) = group.keys_in_work.enter(key) else { return true };
    // In a transaction, the mark that is made in it decides.
    if route.inbox.is_none() && was_processed(group, route, guard.key()).await {
        group.counters.duplicate();
        tried.settle(Settle::Ack);
    } else {
        tried.key = Some(guard);
        tried.stage = Stage::Ready;
    }
    false
}

/// By what the handler recognises the event, if by anything.
fn key_of(route: &Route, event: &RawEvent) -> Result<Option<String>, HandlerError> {
    match &route.idempotency {
        Idempotency::None => Ok(None),
        Idempotency::EventId => Ok(Some(event.head().event_id.to_string())),
        Idempotency::NaturalKey(key) => match catch_unwind(AssertUnwindSafe(|| key(event))) {
            Ok(Ok(key)) => Ok(Some(format!("{}#{key}", route.name))),
            Ok(Err(error)) => Err(HandlerError::permanent(error)),
            Err(panic) => {
                let what =
                    format!("reading the key of `{}` panicked: {}", route.name, panic_message(&*panic));
                Err(HandlerError::permanent(what))
            }
        },
    }
}

/// Asks until there is an answer.
async fn was_processed(group: &Group, route: &Route, key: &str) -> bool {
    let mut failed = 0;
    loop {
        match group.processed.contains(&group.name, route.processed_key(key)).await {
            Ok(known) => return known,
            Err(error) => {
                failed += 1;
                let error = error_chain(&error);
                tracing::warn!(group = group.name, error, "asking whether an event was processed failed");
                group.bus.env().sleep(route.retry.delay(group.bus.env(), failed)).await;
            }
        }
    }
}
