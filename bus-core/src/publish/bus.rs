//! The bus: a transport with a codec, layers and an environment.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::layers::Layers;
use super::{Propagator, PublishError, PublishLayer, Publisher};
use crate::admin::Admin;
use crate::codec::Codec;
use crate::event::{DomainEvent, Keyed, Publishable};
use crate::transport::Transport;
use crate::{Capabilities, Env, Error, Id};

/// Where events are published to and read from; cheap to clone, all clones are the same bus.
///
/// One is made by a backend (or by URL, through the facade), and given to an [`App`](crate::App).
#[derive(Clone)]
pub struct Bus {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Clone)]
pub(crate) struct Inner {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) codec: Arc<dyn Codec>,
    pub(crate) layers: Layers,
    pub(crate) propagator: Option<Arc<dyn Propagator>>,
    pub(crate) env: Env,
    pub(crate) service: Arc<str>,
}

/// Makes a [`Bus`] out of its parts.
#[derive(Debug)]
#[must_use]
pub struct BusBuilder(Bus);

impl Bus {
    /// The bus of `transport`, with its own codec and no layers.
    pub fn new(transport: impl Transport) -> Self {
        Bus::builder(transport).build()
    }

    /// A bus of `transport` with other parts than the usual ones.
    pub fn builder(transport: impl Transport) -> BusBuilder {
        let codec = transport.codec();
        let inner = Inner {
            transport: Arc::new(transport),
            codec,
            layers: Layers::default(),
            propagator: None,
            env: Env::system(),
            service: Arc::from("jitney"),
        };
        BusBuilder(Bus { inner: Arc::new(inner) })
    }

    /// This bus in another environment; the transport is shared.
    #[must_use]
    pub fn with_env(self, env: Env) -> Self {
        self.with(|inner| inner.env = env)
    }

    /// This bus in the name of `service`; the transport is shared.
    #[must_use]
    pub fn with_service(self, service: &str) -> Self {
        self.with(|inner| inner.service = Arc::from(service))
    }

    /// This bus with a layer behind those that it has; the transport is shared. For a bus that was made from a URL.
    #[must_use]
    pub fn with_layer(self, layer: impl PublishLayer) -> Self {
        self.with(|inner| inner.layers.push(layer))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }

    /// Publishes `event` under a new id, starting a new chain of events; answers the id.
    ///
    /// `Ok` means that the broker has the event, durably as far as the backend goes.
    ///
    /// # Errors
    ///
    /// When the event could not be encoded, a layer or the broker refused it, or the broker did not answer; the
    /// error's kind tells which, and whether the broker may have it. Where that is not known
    /// ([`ErrorKind::Unknown`](crate::ErrorKind::Unknown)), another call would publish another event: use
    /// [`Publisher::publish_as`](crate::Publisher::publish_as) for what must not be there twice.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether the event is published.
    pub async fn publish(&self, event: &dyn Publishable) -> Result<Id, Error> {
        self.publisher().publish(event).await
    }

    /// Publishes an event that does not say itself which aggregate it belongs to. See [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_for<E: DomainEvent>(
        &self,
        aggregate_id: impl fmt::Display,
        event: &E,
    ) -> Result<Id, Error> {
        self.publisher().publish_for(aggregate_id, event).await
    }

    /// Publishes `events` in one batch; answers their ids. See [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// When at least one of them is not known to be published; the error says what became of each.
    pub async fn publish_all<'a, E: Keyed>(
        &self,
        events: impl IntoIterator<Item = &'a E>,
    ) -> Result<Vec<Id>, PublishError> {
        self.publisher().publish_all(events).await
    }

    /// A publisher, to which a correlation, a cause or a user can be given.
    pub fn publisher(&self) -> Publisher {
        Publisher::new(self.clone())
    }

    /// What the transport can do.
    pub fn capabilities(&self) -> &Capabilities {
        self.inner.transport.capabilities()
    }

    /// The transport.
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.inner.transport
    }

    /// Topics, positions and lag.
    ///
    /// # Errors
    ///
    /// When the backend has no such thing.
    pub fn admin(&self) -> Result<&dyn Admin, Error> {
        self.inner.transport.admin().ok_or_else(|| {
            let what =
                format!("{} has no topics, positions or lag to ask for", self.inner.transport.describe());
            Error::new(crate::ErrorKind::Unsupported, what)
        })
    }

    /// Time, randomness and ids.
    pub fn env(&self) -> &Env {
        &self.inner.env
    }

    /// The name of the service that publishes.
    pub fn service(&self) -> &str {
        &self.inner.service
    }

    /// The codec.
    pub fn codec(&self) -> &Arc<dyn Codec> {
        &self.inner.codec
    }

    /// The layers, in the order in which a published event passes them.
    pub fn layers(&self) -> &[Arc<dyn PublishLayer>] {
        &self.inner.layers.all
    }

    /// Sends what is buffered and ends connections, within `limit`.
    ///
    /// # Errors
    ///
    /// When something buffered could not be sent.
    pub async fn close(&self, limit: Duration) -> Result<(), Error> {
        self.inner.transport.close(limit).await
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("transport", &self.inner.transport.describe())
            .field("codec", &self.inner.codec)
            .field("service", &self.inner.service)
            .finish_non_exhaustive()
    }
}

impl BusBuilder {
    /// With another codec than the transport's own.
    pub fn codec(self, codec: impl Codec) -> Self {
        BusBuilder(self.0.with(|inner| inner.codec = Arc::new(codec)))
    }

    /// With a layer behind those before it: the last one is nearest to the wire.
    pub fn layer(self, layer: impl PublishLayer) -> Self {
        BusBuilder(self.0.with_layer(layer))
    }

    /// With a bridge between tracing spans and the trace context of events.
    pub fn propagator(self, propagator: impl Propagator) -> Self {
        BusBuilder(self.0.with(|inner| inner.propagator = Some(Arc::new(propagator))))
    }

    /// In another environment than the system's.
    pub fn env(self, env: Env) -> Self {
        BusBuilder(self.0.with_env(env))
    }

    /// In the name of `service`, for buses that are used without an [`App`](crate::App).
    pub fn service(self, service: &str) -> Self {
        BusBuilder(self.0.with_service(service))
    }

    /// The bus.
    pub fn build(self) -> Bus {
        self.0
    }
}
