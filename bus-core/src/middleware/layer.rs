//! The application's own middleware, around each attempt of a handler.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use crate::handler::{Context, Handler, Reply};

/// Runs around each attempt of a handler.
///
/// ```
/// use jitney_core::handler::{Context, Reply};
/// use jitney_core::middleware::{Middleware, Next};
///
/// /// Writes a line for each attempt.
/// struct Log;
///
/// #[async_trait::async_trait]
/// impl Middleware for Log {
///     async fn handle<'a>(&'a self, cx: Context<'a>, next: Next<'a>) -> Reply {
///         let reply = next.run(cx).await;
///         println!("{} handled {}: {reply:?}", cx.handler(), cx.head().event_id);
///         reply
///     }
/// }
/// ```
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// Does something, usually calls `next`, and answers.
    async fn handle<'a>(&'a self, cx: Context<'a>, next: Next<'a>) -> Reply;
}

/// What is inside a middleware: the next one, or the handler.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    layers: &'a [Arc<dyn Middleware>],
    handler: &'a dyn Handler,
}

impl<'a> Next<'a> {
    pub(crate) fn new(layers: &'a [Arc<dyn Middleware>], handler: &'a dyn Handler) -> Self {
        Next { layers, handler }
    }

    /// Goes on.
    ///
    /// # Cancellation
    ///
    /// Dropping the future abandons the attempt, as far as what is inside goes.
    pub fn run(self, cx: Context<'a>) -> BoxFuture<'a, Reply> {
        match self.layers.split_first() {
            Some((layer, layers)) => layer.handle(cx, Next { layers, ..self }),
            None => self.handler.handle(cx),
        }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("layers", &self.layers.len()).finish_non_exhaustive()
    }
}
