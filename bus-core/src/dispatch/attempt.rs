//! One attempt: timeout( catch_panic( layers( handler ))).

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::handler::{Context, HandlerError, Reply};
use crate::middleware::Next;
use crate::panic_message;

/// Runs the handler for the events of `cx` once.
///
/// A panic and a time-out are errors of the handler; both are retryable.
pub(super) async fn attempt(cx: Context<'_>) -> Result<Reply, HandlerError> {
    let (group, route) = (cx.group, cx.route);
    let env = group.bus.env();
    let started = env.instant();
    // Called inside, since also what makes the handler's future may panic.
    let run = async { Next::new(&route.layers, &*route.handler).run(cx).await };
    let run = AssertUnwindSafe(run).catch_unwind();
    let result = env.timeout_at(started + route.timeout, run).await;
    group.counters.attempt_took(env.instant() - started);
    match result {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(panic)) => {
            let error = format!("handler `{}` panicked: {}", route.name, panic_message(&*panic));
            Err(HandlerError::retryable(error))
        }
        Err(_) => {
            let error = format!(
                "handler `{}` took longer than its time limit of {:?}; give it more with `timeout = \"…\"`",
                route.name, route.timeout,
            );
            Err(HandlerError::retryable(error))
        }
    }
}
