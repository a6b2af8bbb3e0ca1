//! Lists of handlers.

use std::fmt;
use std::sync::Arc;

use super::{Accepts, Handler, HandlerFn, HandlerInput, HandlerSpec, Need, Requirement};

/// Handlers to be given to an application; `handlers![…]` makes one.
#[derive(Debug, Default)]
#[must_use]
pub struct HandlerSet(pub(crate) Vec<HandlerEntry>);

/// A handler with all that is known about it.
pub struct HandlerEntry {
    pub(crate) spec: HandlerSpec,
    pub(crate) accepts: Accepts,
    pub(crate) is_batch: bool,
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) handler: Arc<dyn Handler>,
}

impl HandlerSet {
    /// No handlers.
    pub fn new() -> Self {
        HandlerSet::default()
    }

    /// These and the function `handler`, run as `spec` says.
    pub fn handler<F, Args>(mut self, spec: HandlerSpec, handler: F) -> Self
    where
        F: HandlerFn<Args>,
        Args: Send + 'static,
    {
        self.0.push(HandlerEntry {
            spec,
            accepts: F::Input::accepts(),
            is_batch: F::Input::IS_BATCH,
            requirements: F::requirements(),
            handler: handler.into_handler(),
        });
        self
    }

    /// These and `handler`, for event types that are known only when the list is made; of several events at once where
    /// `takes_batches`. A function says its types by its first argument: [`handler`](Self::handler).
    pub fn handler_of(
        mut self,
        spec: HandlerSpec,
        accepts: Accepts,
        takes_batches: bool,
        handler: impl Handler,
    ) -> Self {
        let handler = Arc::new(handler);
        self.0.push(HandlerEntry {
            spec,
            accepts,
            is_batch: takes_batches,
            requirements: Vec::new(),
            handler,
        });
        self
    }

    /// These and those of `more`.
    pub fn with(mut self, more: impl IntoHandlers) -> Self {
        self.0.extend(more.into_handlers().0);
        self
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl HandlerEntry {
    /// The transactions that it asks for; one at most makes sense.
    pub(crate) fn transactions(&self) -> impl Iterator<Item = &Requirement> {
        self.requirements.iter().filter(|requirement| requirement.need == Need::Transaction)
    }
}

impl fmt::Debug for HandlerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerEntry")
            .field("spec", &self.spec)
            .field("accepts", &self.accepts)
            .finish_non_exhaustive()
    }
}

/// Something with handlers: a `#[handler]` function, or a value whose impl block has it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handlers",
    label = "has no handlers",
    note = "put `#[handler]` on the function, or `#[handler(group = \"…\")]` on the impl block of the type"
)]
pub trait IntoHandlers {
    /// Its handlers.
    fn into_handlers(self) -> HandlerSet;
}

#[diagnostic::do_not_recommend]
impl IntoHandlers for HandlerSet {
    fn into_handlers(self) -> HandlerSet {
        self
    }
}

/// A value whose methods are handlers and that can be shared, so that a test may look at the value that the
/// application runs; `#[handler]` on an impl block writes it.
pub trait SharedHandlers: Send + Sync + 'static {
    /// Its handlers, all of which run on this one value.
    fn shared_handlers(self: Arc<Self>) -> HandlerSet;
}

#[diagnostic::do_not_recommend]
impl<T: SharedHandlers> IntoHandlers for Arc<T> {
    fn into_handlers(self) -> HandlerSet {
        self.shared_handlers()
    }
}
