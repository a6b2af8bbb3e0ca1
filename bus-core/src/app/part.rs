//! A part of an application, as a module of it gives it.

use std::fmt;
use std::sync::Arc;

use super::hooks::Hook;
use crate::Error;
use crate::dead_letter::DeadLetter;
use crate::dispatch::DeadLetterHook;
use crate::handler::{FromRef, HandlerEntry, IntoHandlers, States};
use crate::middleware::Middleware;
use crate::publish::Bus;

/// Handlers with their state, layers and hooks, to be merged into an [`App`](crate::App).
#[derive(Default)]
#[must_use = "a part does nothing until it is merged into an application"]
pub struct AppPart {
    pub(super) handlers: Vec<Placed>,
    pub(super) states: States,
    pub(super) layers: Vec<Arc<dyn Middleware>>,
    pub(super) on_start: Vec<Hook>,
    pub(super) on_stop: Vec<Hook>,
    pub(super) on_dead_letter: Vec<DeadLetterHook>,
}

/// A handler on a bus, inside layers.
pub(super) struct Placed {
    pub(super) bus: Option<String>,
    pub(super) layers: Vec<Arc<dyn Middleware>>,
    pub(super) entry: HandlerEntry,
}

impl AppPart {
    /// An empty part.
    pub fn new() -> Self {
        AppPart::default()
    }

    /// With `value` for handlers that ask for `State<T>`; it replaces an earlier value of its type.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// With a `T` that is taken out of the state `S` at start-up, unless a `T` is given by itself.
    pub fn state_from_ref<S, T>(mut self) -> Self
    where
        S: Clone + Send + Sync + 'static,
        T: FromRef<S> + Clone + Send + Sync + 'static,
    {
        self.states.insert_from_ref::<S, T>();
        self
    }

    /// With `layer` around each attempt of each handler of this part, inside of those before it.
    pub fn layer(mut self, layer: impl Middleware) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// With `handlers` on the application's bus.
    pub fn handlers(self, handlers: impl IntoHandlers) -> Self {
        self.place(None, handlers)
    }

    /// With `handlers` on the bus called `bus`.
    pub fn handlers_on(self, bus: &str, handlers: impl IntoHandlers) -> Self {
        self.place(Some(bus), handlers)
    }

    fn place(mut self, bus: Option<&str>, handlers: impl IntoHandlers) -> Self {
        let placed = handlers.into_handlers().0.into_iter().map(|entry| Placed {
            bus: bus.map(str::to_owned),
            layers: Vec::new(),
            entry,
        });
        self.handlers.extend(placed);
        self
    }

    /// With everything of `part`; its layers are around its own handlers alone.
    pub fn merge(mut self, part: AppPart) -> Self {
        let AppPart { handlers, states, layers, on_start, on_stop, on_dead_letter } = part;
        self.handlers.extend(handlers.into_iter().map(|placed| placed.inside(&layers)));
        self.states.merge(states);
        self.on_start.extend(on_start);
        self.on_stop.extend(on_stop);
        self.on_dead_letter.extend(on_dead_letter);
        self
    }

    /// Runs `hook` before the first event is fetched; an error keeps the application from starting.
    pub fn on_start<F, Fut>(mut self, hook: F) -> Self
    where
        F: FnOnce(Bus) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.on_start.push(Box::new(|bus| Box::pin(hook(bus))));
        self
    }

    /// Runs `hook` when everything has drained, before the buses are closed; and behind a start that failed.
    pub fn on_stop<F, Fut>(mut self, hook: F) -> Self
    where
        F: FnOnce(Bus) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.on_stop.push(Box::new(|bus| Box::pin(hook(bus))));
        self
    }

    /// Calls `hook` for each dead letter when it has been stored.
    pub fn on_dead_letter(mut self, hook: impl Fn(&DeadLetter) + Send + Sync + 'static) -> Self {
        self.on_dead_letter.push(Arc::new(hook));
        self
    }
}

impl Placed {
    /// This handler, inside `layers` as well.
    pub(super) fn inside(mut self, layers: &[Arc<dyn Middleware>]) -> Self {
        self.layers.splice(0..0, layers.iter().cloned());
        self
    }
}

impl fmt::Debug for AppPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handlers: Vec<_> = self.handlers.iter().map(|placed| placed.entry.spec.name()).collect();
        f.debug_struct("AppPart")
            .field("handlers", &handlers)
            .field("states", &self.states)
            .finish_non_exhaustive()
    }
}
