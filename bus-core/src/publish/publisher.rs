//! From an event to an envelope: ids, time, and the chain that the event belongs to.

use std::error::Error as StdError;
use std::fmt;

use tracing::Instrument;

use super::{Bus, Draft, Origin};
use crate::codec::EncodePayload;
use crate::event::{DomainEvent, EventType, Keyed, Publishable};
use crate::handler::Output;
use crate::message::{Outbound, Topic};
use crate::metadata::{ALTERNATES, TraceContext};
use crate::outbox::OutboxEvent;
use crate::transport::Published;
use crate::{Envelope, Error, ErrorKind, Head, Id, Metadata};

/// Publishes events in a given chain, on behalf of a given user.
///
/// ```no_run
/// # async fn example<E: jitney_core::event::Keyed>(bus: jitney_core::Bus, event: E) -> Result<(), jitney_core::Error> {
/// let id = bus.publisher().user("u-17").correlation("request-4711").publish(&event).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Publisher {
    bus: Bus,
    metadata: Metadata,
    /// The context of the current span does not replace one that was given by name.
    trace_is_given: bool,
}

impl Publisher {
    pub(crate) fn new(bus: Bus) -> Self {
        Publisher { bus, metadata: Metadata::default(), trace_is_given: false }
    }

    /// What is published belongs to the chain `id`. Without one, each event starts a chain under its own id.
    pub fn correlation(mut self, id: impl Into<Id>) -> Self {
        self.metadata.correlation_id = Some(id.into());
        self
    }

    /// What is published follows from `cause`: its chain, user and trace are carried on.
    pub fn caused_by<E>(self, cause: &Envelope<E>) -> Self {
        self.caused_by_head(cause.head())
    }

    pub(crate) fn caused_by_head(mut self, cause: &Head) -> Self {
        self.metadata.follow(cause);
        self
    }

    /// On behalf of the user `id`.
    pub fn user(mut self, id: impl Into<String>) -> Self {
        self.metadata.user_id = Some(id.into());
        self
    }

    /// In the trace `context`, whatever the current span's is.
    pub fn trace(mut self, context: TraceContext) -> Self {
        self.trace_is_given = true;
        self.metadata.trace = Some(context);
        self
    }

    /// With a pair of the application's own in the metadata. A name that the metadata has itself (`userId`,
    /// `correlationId`, `causationId`, `traceparent`, and behind that `tracestate`) sets that.
    pub fn pair(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        match &*name {
            "userId" => self.user(value),
            "correlationId" => self.correlation(&*value),
            "traceparent" => self.trace(TraceContext { parent: value, state: None }),
            "tracestate" => {
                self.metadata.trace =
                    self.metadata.trace.map(|trace| TraceContext { state: Some(value), ..trace });
                self
            }
            "causationId" => {
                self.metadata.causation_id = Some(Id::from(&*value));
                self
            }
            _ => {
                self.metadata.pairs.insert(name, value);
                self
            }
        }
    }

    /// Publishes `event`. See [`Bus::publish`].
    ///
    /// # Errors
    ///
    /// As [`Bus::publish`].
    pub async fn publish(&self, event: &dyn Publishable) -> Result<Id, Error> {
        self.publish_as(self.bus.env().new_id(), event).await
    }

    /// Publishes `event` under the id `id`: what to call again when it is not known whether an earlier call has
    /// published it, since readers recognise a second copy by its id.
    ///
    /// # Errors
    ///
    /// As [`Bus::publish`].
    pub async fn publish_as(&self, id: Id, event: &dyn Publishable) -> Result<Id, Error> {
        self.publish_one(id, event.event_type(), event.aggregate_id(), event.key(), event).await
    }

    /// Publishes an event that does not say itself which aggregate it belongs to.
    ///
    /// # Errors
    ///
    /// As [`Bus::publish`].
    pub async fn publish_for<E: DomainEvent>(
        &self,
        aggregate_id: impl fmt::Display,
        event: &E,
    ) -> Result<Id, Error> {
        self.publish_for_as(self.bus.env().new_id(), aggregate_id, event).await
    }

    /// Publishes an event that does not say itself which aggregate it belongs to under the id `id`. See
    /// [`publish_as`](Self::publish_as).
    ///
    /// # Errors
    ///
    /// As [`Bus::publish`].
    pub async fn publish_for_as<E: DomainEvent>(
        &self,
        id: Id,
        aggregate_id: impl fmt::Display,
        event: &E,
    ) -> Result<Id, Error> {
        self.publish_one(id, event.event_type(), aggregate_id.to_string(), None, event).await
    }

    /// Publishes one fact in two major versions of its event type, side by side, while readers of the older version are
    /// still there. Both carry one id and a mark, so that no group handles both: each takes the highest version that it
    /// has a handler for.
    ///
    /// # Errors
    ///
    /// As [`Bus::publish_all`]; and when the two are not versions of one event type.
    pub async fn publish_side_by_side<New, Old>(&self, new: &New, old: &Old) -> Result<Id, PublishError>
    where
        New: Keyed,
        Old: Keyed,
    {
        let id = self.bus.env().new_id();
        let (new_type, old_type) = (new.event_type(), old.event_type());
        let (newer, older) = (new_type.version().major, old_type.version().major);
        if new_type.name() != old_type.name() || newer == older {
            let what = format!(
                "publishing side by side: `{new_type}` and `{old_type}` are not two versions of one event"
            );
            return Err(PublishError { ids: vec![id], failed: vec![(0, Error::config(what))] });
        }
        let marked = self.clone().pair(ALTERNATES, format!("{older},{newer}"));
        let mut batch = marked.batch();
        batch.add_under(id.clone(), new.aggregate_id(), new.key(), new).await;
        batch.add_under(id.clone(), old.aggregate_id(), old.key(), old).await;
        batch.send().await.map(|_| id)
    }

    /// Publishes `events` in one batch. See [`Bus::publish_all`].
    ///
    /// # Errors
    ///
    /// As [`Bus::publish_all`].
    pub async fn publish_all<'a, E: Keyed>(
        &self,
        events: impl IntoIterator<Item = &'a E>,
    ) -> Result<Vec<Id>, PublishError> {
        let mut batch = self.batch();
        for event in events {
            batch.add(event).await;
        }
        batch.send().await
    }

    /// An empty batch, for events of several types.
    pub fn batch(&self) -> PublishBatch {
        PublishBatch { publisher: self.clone(), entries: Vec::new() }
    }

    async fn publish_one(
        &self,
        id: Id,
        event_type: &'static EventType,
        aggregate_id: String,
        key: Option<String>,
        payload: &dyn EncodePayload,
    ) -> Result<Id, Error> {
        let span = tracing::info_span!(
            "send",
            otel.name = event_type.name(),
            otel.kind = "producer",
            messaging.system = self.bus.capabilities().backend,
            messaging.operation.type = "send",
            messaging.operation.name = "send",
            messaging.destination.name = event_type.topic(),
            messaging.message.id = %id,
        );
        let sending = async {
            let draft = self.draft(id.clone(), event_type, aggregate_id, key, payload);
            let outbound = self.bus.encode(draft).await?;
            self.bus.transport().publish_one(outbound).await.into_result()
        };
        sending.instrument(span).await?;
        metrics::counter!("jitney_published_total", "event" => event_type.name()).increment(1);
        Ok(id)
    }

    fn draft<'a>(
        &self,
        id: Id,
        event_type: &'static EventType,
        aggregate_id: String,
        key: Option<String>,
        payload: &'a dyn EncodePayload,
    ) -> Draft<'a> {
        let mut head = Head::new(
            id,
            event_type.name(),
            event_type.aggregate(),
            aggregate_id,
            self.bus.env().now(),
            event_type.version(),
        );
        head.metadata = self.metadata.clone();
        if !self.trace_is_given
            && let Some(context) =
                self.bus.inner.propagator.as_ref().and_then(|propagator| propagator.current())
        {
            head.metadata.trace = Some(context);
        }
        if head.metadata.correlation_id.is_none() {
            head.metadata.correlation_id = Some(head.event_id.clone());
        }
        let (topic, key) = (Topic::Static(event_type.topic()), key.map(Into::into));
        Draft { head, topic, key, payload, origin: Origin::Typed }
    }

    /// Encodes what a handler returned, under ids derived from the cause.
    pub(crate) async fn encode_outputs(
        &self,
        origin: &str,
        outputs: &[Output],
    ) -> Result<Vec<Outbound>, Error> {
        let cause = self.metadata.causation_id.as_ref().expect("outputs of a handler have a cause");
        let mut encoded = Vec::with_capacity(outputs.len());
        for (index, output) in outputs.iter().enumerate() {
            let id = cause.derive(origin, index);
            let key = output.key.clone();
            let draft = self.draft(id, output.event_type, output.aggregate_id.clone(), key, &*output.payload);
            encoded.push(self.bus.encode(draft).await?);
        }
        Ok(encoded)
    }

    /// The same for an outbox: the bus's layers come later, when they are published from there.
    pub(crate) fn outbox_outputs(&self, origin: &str, outputs: &[Output]) -> Result<Vec<OutboxEvent>, Error> {
        let cause = self.metadata.causation_id.as_ref().expect("outputs of a handler have a cause");
        let encoded = outputs.iter().enumerate().map(|(index, output)| {
            let id = cause.derive(origin, index);
            let Output { event_type, aggregate_id, key, payload } = output;
            let Draft { head, .. } = self.draft(id, event_type, aggregate_id.clone(), None, &**payload);
            OutboxEvent::encoded(head, event_type, key.clone(), &**payload)
        });
        encoded.collect()
    }
}

/// Events that are published together.
#[derive(Debug)]
#[must_use = "a batch is published by `send`"]
pub struct PublishBatch {
    publisher: Publisher,
    entries: Vec<(Id, Result<Outbound, Error>)>,
}

impl PublishBatch {
    /// Adds `event`; answers the id that it will have.
    pub async fn add<E: Keyed>(&mut self, event: &E) -> Id {
        let id = self.publisher.bus.env().new_id();
        self.add_under(id.clone(), event.aggregate_id(), event.key(), event).await;
        id
    }

    async fn add_under<E: DomainEvent>(
        &mut self,
        id: Id,
        aggregate_id: String,
        key: Option<String>,
        event: &E,
    ) {
        let bus = &self.publisher.bus;
        let draft = self.publisher.draft(id.clone(), event.event_type(), aggregate_id, key, event);
        let encoded = bus.encode(draft).await;
        self.entries.push((id, encoded));
    }

    /// Publishes the events; answers their ids. When one could not be encoded, none is published.
    ///
    /// # Errors
    ///
    /// When at least one of them is not known to be published; the error says what became of each.
    pub async fn send(self) -> Result<Vec<Id>, PublishError> {
        let mut ids = Vec::with_capacity(self.entries.len());
        let mut outbound = Vec::with_capacity(self.entries.len());
        let mut failed = Vec::new();
        for (index, (id, encoded)) in self.entries.into_iter().enumerate() {
            match encoded {
                Ok(message) => outbound.push(message),
                Err(error) => failed.push((index, error)),
            }
            ids.push(id);
        }
        if !failed.is_empty() {
            let refused: Vec<_> = failed.iter().map(|(index, _)| *index).collect();
            let others = (0..ids.len()).filter(|index| !refused.contains(index));
            failed.extend(others.map(|index| (index, not_sent())));
            failed.sort_by_key(|(index, _)| *index);
            return Err(PublishError { ids, failed });
        }
        let outcomes = self.publisher.bus.transmit(outbound).await;
        let results = outcomes.into_iter().map(Published::into_result).enumerate();
        failed.extend(results.filter_map(|(index, result)| result.err().map(|error| (index, error))));
        if failed.is_empty() { Ok(ids) } else { Err(PublishError { ids, failed }) }
    }

    /// Publishes all of the events or none of them, in whatever topics they are: readers see them together. Answers their
    /// ids.
    ///
    /// # Errors
    ///
    /// When the backend has no transactions, one of the events could not be encoded, or the broker refused the
    /// transaction: then none is published. Of kind [`ErrorKind::Unknown`] where the broker did not say whether it has
    /// them all or none.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether all of them are published, or none.
    pub async fn send_atomically(self) -> Result<Vec<Id>, Error> {
        let mut ids = Vec::with_capacity(self.entries.len());
        let mut outbound = Vec::with_capacity(self.entries.len());
        for (id, encoded) in self.entries {
            ids.push(id);
            outbound.push(encoded?);
        }
        self.publisher.bus.transmit_atomically(outbound).await?;
        Ok(ids)
    }
}

fn not_sent() -> Error {
    let what =
        "publishing an event of a batch: not sent, since another event of the batch could not be encoded";
    Error::new(ErrorKind::Encode, what).retryable(true)
}

/// Some events of a batch are not known to be published.
#[derive(Debug)]
pub struct PublishError {
    ids: Vec<Id>,
    failed: Vec<(usize, Error)>,
}

impl PublishError {
    /// The events that are not known to be published, by their place in the batch.
    pub fn failed(&self) -> &[(usize, Error)] {
        &self.failed
    }

    /// The ids of all events of the batch.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// Whether publishing those that failed again may succeed.
    pub fn is_retryable(&self) -> bool {
        self.failed.iter().all(|(_, error)| error.is_retryable())
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "publishing a batch: {} of {} events failed", self.failed.len(), self.ids.len())
    }
}

impl StdError for PublishError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.failed.first().map(|(_, error)| error as &(dyn StdError + 'static))
    }
}

impl From<PublishError> for Error {
    /// An error about the whole batch, of the kind of the first event that failed.
    fn from(error: PublishError) -> Self {
        let kind = error.failed.first().map_or(ErrorKind::Unknown, |(_, first)| first.kind());
        let (batch, retryable) = (error.to_string(), error.is_retryable());
        let Some((_, first)) = error.failed.into_iter().next() else { return Error::new(kind, batch) };
        Error::new(kind, batch).retryable(retryable).with_source(first)
    }
}
