//! The events of these tests, and the bytes that they travel in.

use jitney::codec::{Codec, Destination, EncodePayload, NativeJson};
use jitney::event::Keyed;
use jitney::message::Message;
use jitney::prelude::*;
use jitney::{Head, Id};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order)]
pub(crate) struct Placed {
    pub(crate) order: String,
    pub(crate) number: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order)]
pub(crate) struct Shipped {
    pub(crate) order: String,
    pub(crate) number: u32,
}

pub(crate) fn placed(order: &str, number: u32) -> Placed {
    Placed { order: order.to_owned(), number }
}

pub(crate) fn shipped(order: &str, number: u32) -> Shipped {
    Shipped { order: order.to_owned(), number }
}

/// `event` on the wire, under the id `id`.
pub(crate) fn message<E: Keyed + EncodePayload>(id: &str, event: &E) -> Message {
    let about = event.event_type();
    let head = Head::new(
        Id::from(id),
        about.name(),
        about.aggregate(),
        event.aggregate_id(),
        jiff::Timestamp::UNIX_EPOCH,
        about.version(),
    );
    let encoded = NativeJson.encode(Destination::new(about.topic(), "shop"), &head, event).unwrap();
    Message {
        topic: about.topic().into(),
        key: Some(event.aggregate_id().into()),
        headers: encoded.headers,
        time: head.time,
        body: encoded.body,
    }
}
