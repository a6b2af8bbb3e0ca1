//! What is said about a handler: its name, its group, and how it is run.

use std::any::{TypeId, type_name};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::RawEvent;
use crate::event::DecodeError;
use crate::middleware::{BreakerPolicy, Middleware, RetryPolicy};

/// What is said about a handler; the arguments of `#[handler(…)]`.
#[derive(Clone)]
#[must_use]
pub struct HandlerSpec {
    pub(crate) name: String,
    pub(crate) group: Option<String>,
    pub(crate) broadcast: bool,
    pub(crate) concurrency: Option<usize>,
    pub(crate) ordered: bool,
    pub(crate) idempotency: Idempotency,
    pub(crate) exactly_once: bool,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) breaker: Option<BreakerPolicy>,
    pub(crate) batch: Option<BatchPolicy>,
    pub(crate) topics: Vec<String>,
    /// It passes events on as they are, in every version.
    pub(crate) passes_on: bool,
    pub(crate) layers: Vec<Arc<dyn Middleware>>,
}

impl HandlerSpec {
    /// The handler `name`, with the application's defaults.
    pub fn new(name: impl Into<String>) -> Self {
        HandlerSpec {
            name: name.into(),
            group: None,
            broadcast: false,
            concurrency: None,
            ordered: false,
            idempotency: Idempotency::None,
            exactly_once: false,
            retry: None,
            timeout: None,
            breaker: None,
            batch: None,
            topics: Vec::new(),
            passes_on: false,
            layers: Vec::new(),
        }
    }

    /// Handlers of one group share its deliveries, one handler per event type. Without one, a handler is a group
    /// of its own.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Every process gets every event (a cache to be kept fresh, for example).
    pub fn broadcast(mut self) -> Self {
        self.broadcast = true;
        self
    }

    /// So many lanes of the group run at once; the events of one key never do.
    pub fn concurrency(mut self, lanes: usize) -> Self {
        self.concurrency = Some(lanes);
        self
    }

    /// The handler depends on the order of the events of a key: a bus that keeps none is refused at start-up.
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// Each event is handled once, by its id.
    pub fn idempotent(mut self) -> Self {
        self.idempotency = Idempotency::EventId;
        self
    }

    /// Each `key` is handled once, whatever events carry it.
    pub fn idempotent_by<E, K, F>(mut self, key: F) -> Self
    where
        E: crate::DomainEvent,
        K: fmt::Display,
        F: Fn(&E) -> K + Send + Sync + 'static,
    {
        self.idempotency =
            Idempotency::NaturalKey(Arc::new(move |raw| Ok(key(&raw.decode::<E>()?).to_string())));
        self
    }

    /// What the handler returns is published in one transaction with the settling of the event, so that readers of the
    /// outputs see the effect of each event once, whatever crashes. It holds for the group's other handlers too. A bus
    /// without transactions is refused at start-up; what the handler does elsewhere is not part of the transaction.
    pub fn exactly_once(mut self) -> Self {
        self.exactly_once = true;
        self
    }

    /// How failed attempts are repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// An attempt that takes longer is dropped and counts as failed.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Stops calling the handler for a while when it keeps failing.
    pub fn breaker(mut self, policy: BreakerPolicy) -> Self {
        self.breaker = Some(policy);
        self
    }

    /// How many events a handler that takes a [`Batch`](super::Batch) gets at once.
    pub fn batch(mut self, policy: BatchPolicy) -> Self {
        self.batch = Some(policy);
        self
    }

    /// A topic for a handler that takes every event (`RawEvent`); without any, it reads the topics of the application's
    /// other handlers. Refused at start-up for one whose event types say on which topics they are.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topics.push(topic.into());
        self
    }

    /// Middleware around each attempt of this handler, inside the application's.
    pub fn layer(mut self, layer: impl Middleware) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// The handler's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for HandlerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerSpec")
            .field("name", &self.name)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// Reads the natural key out of an event.
pub type NaturalKey = Arc<dyn Fn(&RawEvent) -> Result<String, DecodeError> + Send + Sync>;

/// By what a handler recognises an event that it has handled before.
#[derive(Clone, Default)]
pub enum Idempotency {
    /// Not at all: the handler does not mind.
    #[default]
    None,
    /// By the id of the event.
    EventId,
    /// By something that the event says.
    NaturalKey(NaturalKey),
}

impl fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Idempotency::None => "None",
            Idempotency::EventId => "EventId",
            Idempotency::NaturalKey(_) => "NaturalKey",
        })
    }
}

/// How large batches are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPolicy {
    /// At most so many events.
    pub size: usize,
}

impl Default for BatchPolicy {
    fn default() -> Self {
        BatchPolicy { size: 100 }
    }
}

/// Something that the application must have for a handler to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    pub(crate) need: Need,
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
}

/// What kind of thing is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    State,
    Transaction,
}

impl Requirement {
    /// A state of type `T`.
    pub fn state<T: 'static>() -> Self {
        Requirement { need: Need::State, id: TypeId::of::<T>(), name: type_name::<T>() }
    }

    /// An inbox whose transactions are lent by the extractor `T`, called `name` in messages. The handler then works in one, and
    /// recognises its events by their ids where it does not say by what.
    pub fn transaction<T: 'static>(name: &'static str) -> Self {
        Requirement { need: Need::Transaction, id: TypeId::of::<T>(), name }
    }
}
