//! What the outboxes of all databases have in common: events as rows.

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::message::Message;
use jitney_core::outbox::{OutboxEvent, Shard};
use jitney_core::{Error, ErrorKind};
use jitney_sourcing::{Filter, Position, StreamAppend};

/// An event as the columns of an outbox: the envelope is one text of native JSON.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) shard: i16,
    pub(crate) topic: String,
    pub(crate) key: String,
    pub(crate) time_ms: i64,
    pub(crate) body: String,
}

impl Row {
    pub(crate) fn new(event: OutboxEvent) -> Result<Self, Error> {
        let shard = i16::try_from(event.shard().number()).unwrap_or_default();
        let message = event.into_message()?;
        let text = |bytes: &[u8], what: &str| {
            String::from_utf8(bytes.to_vec()).map_err(|error| {
                let what = format!("putting an event into the outbox: its {what} is no text");
                Error::new(ErrorKind::Encode, what).with_source(error)
            })
        };
        Ok(Row {
            shard,
            topic: message.topic.to_string(),
            key: text(message.key.as_deref().unwrap_or_default(), "key")?,
            time_ms: message.time.as_millisecond(),
            body: text(&message.body, "payload")?,
        })
    }

    /// The message of a row. What is wrong with it shows when it is decoded.
    pub(crate) fn into_message(self) -> Message {
        Message {
            topic: self.topic.into(),
            key: Some(self.key.into()),
            headers: Vec::new(),
            time: Timestamp::from_millisecond(self.time_ms).unwrap_or(Timestamp::UNIX_EPOCH),
            body: Bytes::from(self.body),
        }
    }
}

/// The rows of the events of `part` that `filter` is for, the first of which has the sequence `first`.
pub(crate) fn rows(
    part: &StreamAppend,
    first: u64,
    filter: &Filter,
) -> Result<Vec<Row>, jitney_sourcing::Error> {
    let wanted = |event_type: &str| filter.is_for(part.stream.aggregate_type(), event_type);
    let events = (first..).zip(&part.events).filter(|(_, event)| wanted(&event.event_type));
    let row = |(sequence, event): (u64, &jitney_sourcing::NewEvent)| {
        let stored = event.clone().into_stored(&part.stream, sequence, Position::START);
        let (head, payload) = (stored.head().clone(), stored.payload_json().clone());
        // An append with anything open was refused before.
        let event = OutboxEvent::from_head(head, payload, event.topic.clone()).seen_by_sealer();
        Row::new(event).map_err(|error| {
            let what = format!("appending to stream {}: putting an event into the outbox", part.stream);
            jitney_sourcing::Error::new(jitney_sourcing::ErrorKind::Encode, what).with_source(error)
        })
    };
    events.map(row).collect()
}

/// The number of a shard in a column.
pub(crate) fn numbers(shards: &[Shard]) -> Vec<i16> {
    shards.iter().map(|shard| i16::try_from(shard.number()).unwrap_or_default()).collect()
}

/// The shard of a column; none where the row was not written by this library.
pub(crate) fn shard(number: i64) -> Option<Shard> {
    u16::try_from(number).ok().and_then(Shard::from_number)
}
