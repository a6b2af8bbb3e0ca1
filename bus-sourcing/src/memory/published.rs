//! What of an append goes into an outbox.

use jitney_core::outbox::OutboxEvent;

use super::log::Log;
use crate::{Append, Filter, Position};

/// The events of `append` that `filter` is for, with the sequences that `log` will give them.
pub(super) fn events(log: &Log, append: &Append, filter: &Filter) -> Vec<OutboxEvent> {
    let parts = append.streams().iter().flat_map(|part| {
        let first = log.last(&part.stream) + 1;
        (first..).zip(&part.events).map(move |(sequence, event)| (&part.stream, sequence, event))
    });
    let wanted = parts.filter(|(stream, _, event)| filter.is_for(stream.aggregate_type(), &event.event_type));
    let published = wanted.map(|(stream, sequence, event)| {
        let stored = event.clone().into_stored(stream, sequence, Position::START);
        // An append with anything open was refused before.
        OutboxEvent::from_head(stored.head().clone(), stored.payload_json().clone(), event.topic.clone())
            .seen_by_sealer()
    });
    published.collect()
}
