//! Inline projections: applied in the transaction of each append, so that what is read is never behind what was written.

mod make;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jitney_core::error_chain;

pub use self::make::{InlineReadModel, MakeInline};
use super::{Projecting, Projection, panics};
use crate::{Error, ErrorKind, Filter, StoredEvent};

/// A projection that a store applies in the transactions of its appends; made by [`MakeInline`], for authors of stores.
pub struct InlineProjection<C> {
    projection: Arc<dyn Apply<C>>,
    filter: Filter,
    name: String,
    build: u64,
}

/// A [`Projection`], whichever it is.
#[async_trait]
trait Apply<C>: Send + Sync {
    async fn apply(&self, event: &StoredEvent, connection: &mut C) -> Result<(), Error>;

    async fn tell(&self, events: &[StoredEvent]);
}

#[async_trait]
impl<P: Projection> Apply<P::Connection> for P {
    async fn apply(&self, event: &StoredEvent, connection: &mut P::Connection) -> Result<(), Error> {
        let mut at = Projecting::new(connection, true);
        panics::apply(self, std::slice::from_ref(event), &mut at).await.map_err(|error| {
            let (name, head) = (self.name(), event.head());
            let what = format!(
                "appending: inline projection `{name}` refuses event {} of stream {} (`{}` {}, id {}), so nothing of the append is \
                 stored; mend the projection, or append something else",
                event.sequence(),
                event.stream(),
                head.event_type,
                head.version,
                head.event_id,
            );
            Error::new(ErrorKind::Projection, what)
                .with_source(error_chain(error.source_error()))
                .retryable(error.is_retryable())
        })
    }

    async fn tell(&self, events: &[StoredEvent]) {
        panics::tell(self, events).await;
    }
}

impl<C: Send> InlineProjection<C> {
    fn new<P: Projection<Connection = C>>(projection: Arc<P>, build: u64) -> Self {
        let (filter, name) = (projection.filter(), projection.name().to_owned());
        InlineProjection { projection, filter, name, build }
    }

    /// The name of the projection.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of the build that it keeps up.
    pub fn build(&self) -> u64 {
        self.build
    }

    /// Whether it is for the event.
    pub fn is_for(&self, event: &StoredEvent) -> bool {
        self.filter.is_for(&event.head().aggregate_type, &event.head().event_type)
    }

    /// Applies those of `events` that it is for, one by one, in the transaction that is open on `connection`, which is in
    /// the place of the build.
    ///
    /// # Errors
    ///
    /// Of kind [`Projection`](ErrorKind::Projection), which names the projection and the event: the transaction is to be
    /// rolled back. It is retryable where the handler's error is, and where the handler has panicked.
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, the transaction is to be rolled back.
    pub async fn apply(&self, events: &[StoredEvent], connection: &mut C) -> Result<(), Error> {
        for event in events.iter().filter(|event| self.is_for(event)) {
            self.projection.apply(event, connection).await?;
        }
        Ok(())
    }

    /// Tells it of those of `events` that it is for, behind their commit: [`Projection::after_commit`].
    ///
    /// # Cancellation
    ///
    /// It is told, or not.
    pub async fn tell(&self, events: &[StoredEvent]) {
        let events: Vec<_> = events.iter().filter(|event| self.is_for(event)).cloned().collect();
        if !events.is_empty() {
            self.projection.tell(&events).await;
        }
    }
}

impl<C> fmt::Debug for InlineProjection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, build, .. } = self;
        f.debug_struct("InlineProjection").field("name", name).field("build", build).finish_non_exhaustive()
    }
}
