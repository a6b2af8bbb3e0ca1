//! What follows from a handler's success, in sequence: outputs acked → processed mark. Settling comes last, in the
//! subscription's loop, so that nothing is settled whose outputs the broker does not have. Where the group is exactly once,
//! outputs travel with the settlement instead, and the backend stores both in one transaction.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::group::KeyGuard;
use super::{Group, Route};
use crate::handler::Output;
use crate::message::Outbound;
use crate::middleware::RetryPolicy;
use crate::panic_message;
use crate::processed::ProcessedKey;
use crate::transport::Published;
use crate::{Error, ErrorKind, Head};

/// What one success leads to.
pub(super) struct Unit<'a> {
    pub(super) cause: &'a Head,
    pub(super) outputs: Vec<Output>,
    pub(super) key: Option<&'a KeyGuard>,
}

/// Commits `unit`. Answers the outputs that are still to be stored, in one transaction with the settlement, where the group
/// is exactly once. What fails and can be retried is retried until it succeeds, without running the handler again;
/// should this be dropped meanwhile, the delivery comes again and gives outputs of the same ids.
///
/// # Errors
///
/// When an output can never be published; of kind [`ErrorKind::Closed`] where that is because the bus is closed.
pub(super) async fn commit(
    group: &Group,
    route: &Route,
    unit: Unit<'_>,
) -> Result<Option<Vec<Outbound>>, Error> {
    if !unit.outputs.is_empty() {
        // Boxed: most events have no outputs, and need not carry the room for this.
        let outputs = Box::pin(encode_outputs(group, route, &unit)).await?;
        if group.exactly_once {
            return Ok(Some(outputs));
        }
        Box::pin(publish_outputs(group, outputs)).await?;
        group.counters.outputs(unit.outputs.len());
    }
    if let Some(guard) = unit.key {
        Box::pin(mark(group, route.processed_key(guard.key()))).await;
    }
    Ok(None)
}

async fn mark(group: &Group, key: ProcessedKey<'_>) {
    let mut failed = 0;
    while let Err(error) = group.processed.mark(&group.name, key).await {
        failed += 1;
        pause(group, "marking an event as processed", failed, &error).await;
    }
}

async fn encode_outputs(group: &Group, route: &Route, unit: &Unit<'_>) -> Result<Vec<Outbound>, Error> {
    let publisher = group.bus.publisher().caused_by_head(unit.cause);
    let mut failed = 0;
    loop {
        let encoded = AssertUnwindSafe(publisher.encode_outputs(&route.origin, &unit.outputs));
        match encoded.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(route, &*panic))) {
            Ok(outbound) => return Ok(outbound),
            Err(error) if error.is_retryable() => {
                failed += 1;
                pause(group, "encoding an output", failed, &error).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn publish_outputs(group: &Group, mut outbound: Vec<Outbound>) -> Result<(), Error> {
    let mut failed = 0;
    loop {
        let outcomes = group.bus.transmit(outbound.clone()).await;
        let (again, error) = not_published(outbound, outcomes)?;
        let Some(error) = error else { return Ok(()) };
        outbound = again;
        failed += 1;
        pause(group, "publishing an output", failed, &error).await;
    }
}

pub(super) fn panicked(route: &Route, panic: &(dyn Any + Send)) -> Error {
    let what = format!("encoding an output of handler `{}` panicked: {}", route.name, panic_message(panic));
    Error::new(ErrorKind::Encode, what)
}

/// The messages to be sent again with the last error about them: all from the first one on that failed, so that those
/// of one key keep their order. Readers know the ones that come twice by their ids.
fn not_published(
    mut outbound: Vec<Outbound>,
    outcomes: Vec<Published>,
) -> Result<(Vec<Outbound>, Option<Error>), Error> {
    let mut first = None;
    let mut last = None;
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome.into_result() {
            Ok(()) => {}
            Err(error) if error.is_retryable() => {
                first = first.or(Some(index));
                last = Some(error);
            }
            Err(error) if error.kind() == ErrorKind::Closed => return Err(error),
            Err(error) => {
                let what = "publishing an output of a handler, which the broker will never take";
                return Err(Error::new(ErrorKind::Rejected, what).with_source(error));
            }
        }
    }
    let again = first.map_or_else(Vec::new, |first| outbound.split_off(first));
    Ok((again, last))
}

pub(super) async fn pause(group: &Group, doing: &str, failed: u32, error: &Error) {
    let env = group.bus.env();
    tracing::warn!(
        group = group.name,
        error = crate::error_chain(error),
        "{doing} failed and is tried again"
    );
    env.sleep(RetryPolicy::default().delay(env, failed)).await;
}
