//! The events of these tests, and reading all of them.

use jitney::prelude::*;
use jitney::sourcing::{Append, Appended, Error};
use jitney::sourcing::{EventStore, Expected, Filter, NewEvent, Position, StoredEvent, StreamId};
use serde::{Deserialize, Serialize};

/// One event of the batch `batch` of `writer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Log", id = log)]
pub(crate) struct Written {
    pub(crate) log: String,
    pub(crate) writer: String,
    pub(crate) batch: u64,
}

pub(crate) fn stream(id: &str) -> StreamId {
    StreamId::new("Log", id)
}

/// The event `id` of a log.
pub(crate) fn event(log: &str, id: &str, writer: &str, batch: u64) -> NewEvent {
    let event = Written { log: log.to_owned(), writer: writer.to_owned(), batch };
    NewEvent::new(id.into(), jitney::Env::system().now(), &event).unwrap()
}

/// Appends events of the ids to a log, wherever it is.
pub(crate) async fn append(store: &dyn EventStore, log: &str, ids: &[&str]) -> Result<Appended, Error> {
    let events = ids.iter().map(|id| event(log, id, "test", 1));
    store.append(Append::to(stream(log), Expected::Any, events)).await
}

/// All events in their order, read in small pages.
pub(crate) async fn all(store: &dyn EventStore) -> Vec<StoredEvent> {
    let (mut events, mut position) = (Vec::new(), Position::START);
    loop {
        let page = store.read_all(&position, &Filter::all(), 7).await.unwrap();
        events.extend(page.events);
        position = page.position;
        if page.at_end {
            return events;
        }
    }
}

/// The ids of events.
pub(crate) fn ids(events: &[StoredEvent]) -> Vec<String> {
    events.iter().map(|event| event.head().event_id.to_string()).collect()
}
