//! One round of a relay: from the oldest events of some shards to the broker's answers.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{OutboxStore, PendingEvent, Shard};
use crate::codec::{Codec, NativeJson};
use crate::message::Message;
use crate::publish::Bus;
use crate::{Error, RawEvent, error_chain};

/// What a relay has done with events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Relayed {
    /// The broker has them, and they are out of the outbox.
    pub published: usize,
    /// The broker will never take them; they were put aside.
    pub parked: usize,
    /// They are in the outbox, and will be published again.
    pub left: usize,
}

impl Relayed {
    pub(super) fn and(self, more: Relayed) -> Relayed {
        Relayed {
            published: self.published + more.published,
            parked: self.parked + more.parked,
            left: more.left,
        }
    }

    /// Whether there was nothing to do.
    pub(super) fn is_nothing(self) -> bool {
        self == Relayed::default()
    }
}

/// What became of the events of one round.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) relayed: Relayed,
    /// Where events were left, and the last error that left them there.
    pub(super) held_up: HashSet<Shard>,
    pub(super) error: Option<Error>,
}

/// Publishes up to `limit` events of `shards`.
///
/// # Errors
///
/// When the store does not answer: what was published by then is published again later.
pub(super) async fn round(
    store: &dyn OutboxStore,
    bus: &Bus,
    shards: &[Shard],
    limit: usize,
) -> Result<Round, Error> {
    let Round { mut relayed, mut held_up, error: mut last } = Round::default();
    let (mut places, mut events) = (Vec::new(), Vec::new());
    for PendingEvent { place, message } in store.pending(shards, limit).await? {
        match decoded(message) {
            Ok(event) => {
                places.push(place);
                events.push(event);
            }
            Err(error) => {
                park(store, place, &error).await?;
                relayed.parked += 1;
            }
        }
    }
    let outcomes = bus.republish_all(&events).await;
    let (mut published, mut blocked) = (Vec::new(), HashSet::new());
    for ((place, event), outcome) in places.into_iter().zip(&events).zip(outcomes) {
        match outcome {
            // It is published again behind the one before it, so that the last copies of a key are in order.
            _ if blocked.contains(&key(event)) => relayed.left += 1,
            Ok(()) => published.push(place),
            Err(error) if error.is_retryable() => {
                held_up.extend(shard(event));
                blocked.insert(key(event));
                relayed.left += 1;
                last = Some(error);
            }
            Err(error) => {
                park(store, place, &error).await?;
                relayed.parked += 1;
            }
        }
    }
    if !published.is_empty() {
        store.remove(&published).await?;
    }
    relayed.published = published.len();
    Ok(Round { relayed, held_up, error: last })
}

fn decoded(message: Message) -> Result<RawEvent, Error> {
    let decoded = NativeJson.decode(&message, None)?;
    Ok(RawEvent::new(decoded, Arc::new(message)))
}

fn key(event: &RawEvent) -> Option<Bytes> {
    event.message().key.clone()
}

fn shard(event: &RawEvent) -> Option<Shard> {
    key(event).and_then(|key| std::str::from_utf8(&key).ok().map(Shard::of))
}

async fn park(store: &dyn OutboxStore, place: u64, error: &Error) -> Result<(), Error> {
    let error = error_chain(error);
    tracing::error!(place, error, "an event of the outbox was put aside: it can never be published as it is");
    metrics::counter!("jitney_outbox_parked_total").increment(1);
    store.park(place, &error).await
}
