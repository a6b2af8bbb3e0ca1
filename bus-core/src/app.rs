//! An application: handlers, state and middleware on one or several buses.
//!
//! ```
//! # use jitney_core::{App, Bus};
//! # use jitney_core::handler::{HandlerSet, State};
//! #[derive(Clone)]
//! struct Gateway;
//!
//! /// Production and tests build the same thing.
//! fn app(bus: Bus) -> App {
//!     App::new("orders", bus).state(Gateway).handlers(HandlerSet::new())
//! }
//! ```

mod batches;
mod checks;
mod describe;
mod forward;
mod hooks;
mod observe;
mod part;
mod plan;
mod provision;
mod running;
mod settings;

pub use batches::BatchServer;
pub use describe::{BusDescription, Description, GroupDescription, HandlerDescription};
pub use part::AppPart;
pub use running::{GroupHealth, Health, RunningApp};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use forward::Forward;
use futures_util::future::{Either, select};
use settings::Settings;

use crate::dead_letter::DeadLetter;
use crate::dispatch::Limits;
use crate::event::DomainEvent;
use crate::handler::{FromRef, IntoHandlers};
use crate::inbox::Inbox;
use crate::middleware::{Middleware, RetryPolicy};
use crate::processed::ProcessedEvents;
use crate::publish::Bus;
use crate::transport::Start;
use crate::{Env, Error, ErrorKind};

/// An application before it runs.
#[derive(Debug)]
#[must_use = "an application does nothing until it is run"]
pub struct App {
    service: String,
    bus: Bus,
    named: BTreeMap<String, Bus>,
    part: AppPart,
    forwards: Vec<Forward>,
    settings: Settings,
}

impl App {
    /// The application of the service `name` on `bus`. The name is the source of what it publishes, and comes before the
    /// names of its groups.
    pub fn new(name: &str, bus: Bus) -> Self {
        App {
            service: name.to_owned(),
            bus: bus.with_service(name),
            named: BTreeMap::new(),
            part: AppPart::new(),
            forwards: Vec::new(),
            settings: Settings::default(),
        }
    }

    /// With `value` for handlers that ask for `State<T>`; it replaces an earlier value of its type.
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.part = self.part.state(value);
        self
    }

    /// With a `T` that is taken out of the state `S` at start-up, unless a `T` is given by itself.
    pub fn state_from_ref<S, T>(mut self) -> Self
    where
        S: Clone + Send + Sync + 'static,
        T: FromRef<S> + Clone + Send + Sync + 'static,
    {
        self.part = self.part.state_from_ref::<S, T>();
        self
    }

    /// With `layer` around each attempt of each handler, inside of those before it.
    pub fn layer(mut self, layer: impl Middleware) -> Self {
        self.part = self.part.layer(layer);
        self
    }

    /// With `handlers` on the application's bus.
    pub fn handlers(mut self, handlers: impl IntoHandlers) -> Self {
        self.part = self.part.handlers(handlers);
        self
    }

    /// With `handlers` on the bus called `bus`.
    pub fn handlers_on(mut self, bus: &str, handlers: impl IntoHandlers) -> Self {
        self.part = self.part.handlers_on(bus, handlers);
        self
    }

    /// With everything of `part`; its layers are around its own handlers alone.
    pub fn merge(mut self, part: AppPart) -> Self {
        self.part = self.part.merge(part);
        self
    }

    /// With a further bus, called `name`.
    pub fn bus(mut self, name: &str, bus: Bus) -> Self {
        self.named.insert(name.to_owned(), bus.with_service(&self.service));
        self
    }

    /// Passes every `E` of the application's bus on to the bus called `bus`, under the same id.
    pub fn forward<E: DomainEvent>(mut self, bus: &str) -> Self {
        self.forwards.push(Forward::of::<E>(bus));
        self
    }

    /// Runs `hook` before the first event is fetched; an error keeps the application from starting.
    pub fn on_start<F, Fut>(mut self, hook: F) -> Self
    where
        F: FnOnce(Bus) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.part = self.part.on_start(hook);
        self
    }

    /// Runs `hook` when everything has drained, before the buses are closed; and behind a start that failed.
    pub fn on_stop<F, Fut>(mut self, hook: F) -> Self
    where
        F: FnOnce(Bus) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), Error>> + Send + 'static,
    {
        self.part = self.part.on_stop(hook);
        self
    }

    /// Calls `hook` for each dead letter when it has been stored. It runs in the group's own task: hand long work over.
    pub fn on_dead_letter(mut self, hook: impl Fn(&DeadLetter) + Send + Sync + 'static) -> Self {
        self.part = self.part.on_dead_letter(hook);
        self
    }

    /// How handlers that do not say so themselves are tried again. By default 5 attempts, 100 ms to 30 s.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// The time limit of an attempt of handlers that do not say so themselves. By default 30 s.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.settings.timeout = limit;
        self
    }

    /// How much each group takes on at once.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Dead-letters events of types that a group has no handler for, instead of skipping them. For topics that no other
    /// service shares.
    pub fn strict(mut self) -> Self {
        self.settings.strict = true;
        self
    }

    /// Where groups begin that never settled anything. By default with the oldest event.
    pub fn start_at(mut self, start: Start) -> Self {
        self.settings.start = start;
        self
    }

    /// How long what runs may still take when the application stops. By default 30 s. Leaving the groups, and closing each
    /// bus, may take as long again where a broker does not answer.
    pub fn drain_within(mut self, limit: Duration) -> Self {
        self.settings.drain_within = limit;
        self
    }

    /// With `inbox`, for handlers that work in transactions of its database. One for each kind of transaction, of which the last one
    /// given counts. The first one also keeps what the other idempotent handlers have handled, unless
    /// [`processed_events`](Self::processed_events) says where.
    pub fn inbox(mut self, inbox: impl Inbox) -> Self {
        let offered = inbox.offers();
        let inbox: Arc<dyn Inbox> = Arc::new(inbox);
        match self.settings.inboxes.iter_mut().find(|known| known.offers() == offered) {
            Some(known) => *known = inbox,
            None => self.settings.inboxes.push(inbox),
        }
        self
    }

    /// Where idempotent handlers keep what they have handled. By default in the application's inbox; where it has none in memory, on
    /// buses that forget as well.
    pub fn processed_events(mut self, store: impl ProcessedEvents) -> Self {
        self.settings.processed = Some(Arc::new(store));
        self
    }

    /// What the names of groups begin with, instead of the service's name; nothing where it is empty.
    pub fn group_prefix(mut self, prefix: &str) -> Self {
        self.settings.group_prefix = Some(prefix.to_owned());
        self
    }

    /// Joins each group so many times, at least once, each time with a task of its own: on a runtime of several threads one
    /// process then reads envelopes and runs handlers on several processors. Partitions are shared out among members as
    /// among processes, and limits hold for each of them. By default once; broadcast groups always are.
    pub fn members(mut self, members: u32) -> Self {
        self.settings.members = members.max(1);
        self
    }

    /// Leaves the buses open at the end, for buses that others in the process go on with.
    pub fn keep_buses_open(mut self) -> Self {
        self.settings.close_buses = false;
        self
    }

    /// The application's bus, in the name of its service.
    pub fn bus_handle(&self) -> &Bus {
        &self.bus
    }

    /// Time, randomness and ids of the application's bus.
    pub fn env(&self) -> &Env {
        self.bus.env()
    }

    /// Every event, handler, group and topic, as data.
    ///
    /// # Errors
    ///
    /// Every mistake in the set-up, as when it is started.
    pub fn describe(self) -> Result<Description, Error> {
        Ok(plan::plan(self)?.description)
    }

    /// Makes what is missing on the application's buses, without starting anything: the topics of its events, and its
    /// groups, so that what is published from then on waits for them. A queue-like broker keeps nothing for a group that
    /// does not exist: call this before anybody publishes, in a deployment or in each process of several.
    ///
    /// # Errors
    ///
    /// Every mistake in the set-up, as when it is started; what a bus refuses to make.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open how much was made; calling it again makes the rest.
    pub async fn provision(self) -> Result<(), Error> {
        plan::plan(self)?.provision().await
    }

    /// Starts the application without subscribing to anything, for functions that are handed batches by someone else (AWS
    /// Lambda).
    ///
    /// # Errors
    ///
    /// Every mistake in the set-up, with what to do about each; errors of `on_start` hooks.
    ///
    /// # Cancellation
    ///
    /// Dropping the future abandons the hook that runs.
    pub async fn serve_batches(self) -> Result<BatchServer, Error> {
        BatchServer::start(plan::plan(self)?).await
    }

    /// Starts the application beside something else.
    ///
    /// # Errors
    ///
    /// Every mistake in the set-up, with what to do about each; errors of `on_start` hooks and of subscribing.
    pub async fn spawn(self) -> Result<RunningApp, Error> {
        RunningApp::start(plan::plan(self)?).await
    }

    /// Runs the application until `signal` is done; then drains, settles and closes. A signal that comes while the
    /// application is still starting ends the start, and that is all.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn); an error that ended a group for good; an error of draining or of closing.
    ///
    /// # Cancellation
    ///
    /// Dropping the future stops fetching; what runs goes on in the background until it has drained.
    pub async fn run_until(self, signal: impl Future<Output = ()>) -> Result<(), Error> {
        let mut signal = std::pin::pin!(signal);
        let starting = std::pin::pin!(self.spawn());
        let mut running = match select(starting, signal.as_mut()).await {
            Either::Left((running, _)) => running?,
            Either::Right(_) => return Ok(()),
        };
        let ended = {
            let failed = std::pin::pin!(running.failed());
            match select(signal, failed).await {
                Either::Left(_) => None,
                Either::Right((error, _)) => Some(error.unwrap_or_else(|| {
                    Error::new(ErrorKind::Closed, "every group of the application has ended")
                })),
            }
        };
        let stopped = running.shutdown().await;
        ended.map_or(stopped, Err)
    }
}
