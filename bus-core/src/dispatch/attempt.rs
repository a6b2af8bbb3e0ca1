//! One attempt: timeout( catch_panic( layers( handler ))).

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::{Group, Route};
use crate::RawEvent;
use crate::handler::{Context, HandlerError, Reply};
use crate::inbox::UnitOfWork;
use crate::middleware::Next;

/// Runs the handler of `route` for `events` once, in `unit` where it asks for a transaction.
///
/// A panic and a time-out are errors of the handler; both are retryable.
pub(super) async fn attempt(
    group: &Group,
    route: &Route,
    events: &[RawEvent],
    number: u32,
    unit: Option<&dyn UnitOfWork>,
) -> Result<Reply, HandlerError> {
    let env = group.bus.env();
    let cx = Context { events, attempt: number, group, route, unit };
    let started = env.instant();
    let run = AssertUnwindSafe(Next::new(&route.layers, &*route.handler).run(cx)).catch_unwind();
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

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("with no message")
}
