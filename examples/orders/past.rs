//! What a store has: read from it, as events that a bus can have again.

use std::collections::HashSet;
use std::sync::Arc;

use jitney::codec::{Decoded, PayloadBytes};
use jitney::message::Message;
use jitney::prelude::*;
use jitney::sourcing::{
    Append, ErrorKind as StoreErrorKind, EventStore, Expected, Filter, NewEvent, Page, Position, StoredEvent,
    StreamId,
};
use jitney::{Error, ErrorKind, Id};

use super::events::OrderCreated;
use super::order::OrderEvent;
use super::store::Store;
use super::wait::TICK;

/// So many events are read at once.
const PAGE: usize = 1_000;

/// Reads what had been stored of orders when the reading began, page by page.
pub struct Past<'a> {
    store: &'a dyn EventStore,
    filter: Filter,
    position: Position,
    end: Position,
}

impl<'a> Past<'a> {
    /// Begins with the first event.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn of(store: &'a dyn EventStore) -> jitney::Result<Self> {
        let (filter, position) = (Filter::of::<OrderEvent>(), Position::START);
        Ok(Past { store, filter, position, end: store.end().await? })
    }

    /// The next events; none behind the last ones.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn next(&mut self) -> jitney::Result<Option<Vec<StoredEvent>>> {
        while !self.position.has_reached(&self.end) {
            let before = self.position.clone();
            let Page { events, position, .. } = self.store.read_all(&before, &self.filter, PAGE).await?;
            self.position = position;
            if !events.is_empty() {
                return Ok(Some(events));
            }
            if self.position == before {
                // The last events are there and cannot be read yet: somebody is still writing before them.
                self.store.wait(&before, TICK).await?;
            }
        }
        Ok(None)
    }
}

/// The chains of events that `store` has, and of `history`.
///
/// # Errors
///
/// When the store does not answer.
pub async fn chains(store: Option<&Store>, history: &[RawEvent]) -> jitney::Result<HashSet<Id>> {
    let mut chains: HashSet<_> = history.iter().map(|event| event.head().correlation_id().clone()).collect();
    if let Some(store) = store {
        let mut past = Past::of(&*store.events).await?;
        while let Some(events) = past.next().await? {
            chains.extend(events.iter().map(|event| event.head().correlation_id().clone()));
        }
    }
    Ok(chains)
}

/// `event` as it is on the bus.
pub fn as_published(event: &StoredEvent) -> RawEvent {
    let head = Arc::new(event.head().clone());
    let message = Message {
        topic: OrderEvent::TYPES[0].topic().into(),
        key: None,
        headers: Vec::new(),
        time: head.time,
        body: event.payload_json().clone(),
    };
    let payload = PayloadBytes::Own(event.payload_json().clone());
    RawEvent::new(Decoded { head, payload }, Arc::new(message))
}

/// Stores what happened before there was a store: each event is the first one of its order, in the version that it was
/// written in. Those that are there stay as they are.
///
/// # Errors
///
/// When the store does not take one: an order of that id may have another beginning.
pub async fn import(store: &dyn EventStore, history: &[RawEvent]) -> jitney::Result<()> {
    for event in history {
        let head = event.head();
        let unreadable = |error| {
            let what = format!("storing what happened before: event {} cannot be read", head.event_id);
            Error::new(ErrorKind::Decode, what).with_source(error)
        };
        let created: OrderCreated = event.decode().map_err(unreadable)?;
        let mut new = NewEvent::new(head.event_id.clone(), head.time, &created)?;
        (new.version, new.payload) = (head.version, event.payload_json().to_vec().into());
        let stream = StreamId::new(head.aggregate_type.clone(), head.aggregate_id.clone());
        let new = new.with_metadata(head.metadata.clone());
        match store.append(Append::to(stream, Expected::New, [new])).await {
            Err(error) if error.kind() == StoreErrorKind::Duplicate => {}
            appended => drop(appended?),
        }
    }
    Ok(())
}
