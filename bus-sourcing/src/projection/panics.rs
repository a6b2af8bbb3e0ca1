//! Panics in what an application writes: errors of it, so that they are counted, shown and stopped at as others are.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use jitney_core::handler::HandlerError;
use jitney_core::panic_message;

use super::{Projecting, Projection};
use crate::StoredEvent;

/// Applies `events`, unless one of them could not be opened. A panic is an error that is worth another try, as that of a handler of the bus is.
pub(super) async fn apply<P: Projection>(
    projection: &P,
    events: &[StoredEvent],
    at: &mut Projecting<'_, P::Connection>,
) -> Result<(), HandlerError> {
    if let Some(error) = events.iter().find_map(StoredEvent::unopened) {
        return Err(HandlerError::permanent(error));
    }
    // Called inside, since also what makes the future may panic.
    let apply = async { projection.apply_batch(events, at).await };
    AssertUnwindSafe(apply).catch_unwind().await.unwrap_or_else(|panic| {
        let name = projection.name();
        Err(HandlerError::retryable(format!("projection `{name}` panicked: {}", panic_message(&*panic))))
    })
}

/// Tells of `events` behind their commit, which a panic changes nothing about.
pub(super) async fn tell<P: Projection>(projection: &P, events: &[StoredEvent]) {
    let tell = async { projection.after_commit(events).await };
    if let Err(panic) = AssertUnwindSafe(tell).catch_unwind().await {
        let (projection, panic) = (projection.name(), panic_message(&*panic));
        tracing::error!(projection, panic, "a projection panicked when it was told of a commit");
    }
}
