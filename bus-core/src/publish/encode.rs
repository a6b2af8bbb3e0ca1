//! From an event to a message.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;

use bytes::Bytes;

use super::{Bus, Origin, OutgoingEvent};
use crate::codec::{Destination, EncodePayload, JsonPayload};
use crate::dead_letter::MAX_ADDED_BYTES;
use crate::message::{Attributes, Message, Outbound, Topic};
use crate::personal::{NotCollected, check_visible, collect, leaks};
use crate::transport::Published;
use crate::{Error, ErrorKind, Head};

/// An event that has its envelope, on the way to the codec.
pub(crate) struct Draft<'a> {
    pub(crate) head: Head,
    pub(crate) topic: Topic,
    pub(crate) key: Option<Bytes>,
    pub(crate) payload: &'a dyn EncodePayload,
    pub(crate) origin: Origin,
}

impl Bus {
    /// Takes `draft` through the layers and the codec.
    pub(crate) async fn encode(&self, draft: Draft<'_>) -> Result<Outbound, Error> {
        if !self.inner.layers.take(draft.origin) {
            return self.encode_plain(draft);
        }
        // Boxed: what passes through no layer need not carry the room for this.
        Box::pin(self.encode_through_layers(draft)).await
    }

    async fn encode_through_layers(&self, draft: Draft<'_>) -> Result<Outbound, Error> {
        let mut payload = Vec::new();
        let mut write = || draft.payload.write_json(&mut payload);
        let (written, met) = if self.inner.layers.seal(draft.origin) { collect(write) } else { (write(), 0) };
        let refused = |source: Box<dyn StdError + Send + Sync>| {
            let what = format!("encoding the payload of `{}` {}", draft.head.event_type, draft.head.event_id);
            Error::new(ErrorKind::Encode, what).with_source(source)
        };
        written.map_err(|error| refused(error.into()))?;
        check_visible(&payload, met).map_err(|error| refused(error.into()))?;
        let mut event = OutgoingEvent { head: draft.head, payload: payload.into() };
        for layer in self.layers().iter().filter(|layer| layer.takes(draft.origin)) {
            layer.outgoing(&mut event).await?;
        }
        self.encode_plain(Draft { head: event.head, payload: &JsonPayload(event.payload), ..draft })
    }

    /// Hands encoded events to the transport to be stored as one, and counts them.
    pub(crate) async fn transmit_atomically(&self, batch: Vec<Outbound>) -> Result<(), Error> {
        let types = event_types(&batch);
        self.transport().publish_atomically(batch).await.into_result()?;
        types.into_iter().flatten().for_each(count_published);
        Ok(())
    }

    /// Hands encoded events to the transport, and counts those that it has.
    pub(crate) async fn transmit(&self, batch: Vec<Outbound>) -> Vec<Published> {
        let types = event_types(&batch);
        let mut outcomes = self.transport().publish(batch).await;
        outcomes.resize_with(types.len(), || {
            let what =
                format!("publishing a batch: {} did not answer for every event", self.transport().describe());
            Published::Unknown(Error::new(ErrorKind::Unknown, what))
        });
        for (event_type, outcome) in types.into_iter().zip(&outcomes) {
            if let (Some(event_type), Published::Acked) = (event_type, outcome) {
                count_published(event_type);
            }
        }
        outcomes
    }

    /// Takes `draft` through the codec alone, for buses without layers.
    pub(crate) fn encode_plain(&self, draft: Draft<'_>) -> Result<Outbound, Error> {
        let Draft { head, topic, key, payload, origin } = draft;
        let destination = Destination { topic: &topic, service: self.service() };
        let encoded = self.codec().encode(destination, &head, payload)?;
        // As JSON that was copied out of an event which another bus has opened.
        if !self.inner.layers.seal(origin) && leaks(&encoded.body) {
            let what = format!(
                "publishing `{}` {} through {}, which seals nothing",
                head.event_type,
                head.event_id,
                self.transport().describe()
            );
            return Err(Error::new(ErrorKind::Encode, what).with_source(NotCollected));
        }
        let attributes = Attributes {
            correlation_id: head.correlation_id().clone(),
            event_id: head.event_id,
            event_type: head.event_type,
            aggregate_type: head.aggregate_type,
            service: Arc::clone(&self.inner.service),
        };
        let message = Message {
            topic,
            key: Some(key.unwrap_or_else(|| head.aggregate_id.into())),
            headers: encoded.headers,
            time: head.time,
            body: encoded.body,
        };
        if let Some(most) = self.capabilities().max_message_bytes
            && message.size() > most.saturating_sub(MAX_ADDED_BYTES)
        {
            let what = format!(
                "publishing `{}` {}: {} bytes are more than the {most} that {} takes, less what a dead letter adds; \
                 store the large part elsewhere and publish a reference to it",
                attributes.event_type,
                attributes.event_id,
                message.size(),
                self.transport().describe(),
            );
            return Err(Error::new(ErrorKind::Rejected, what));
        }
        Ok(Outbound { message, attributes: Some(attributes) })
    }
}

/// The types of the events in a batch, where they are known.
pub(crate) fn event_types(batch: &[Outbound]) -> Vec<Option<Cow<'static, str>>> {
    batch.iter().map(|outbound| outbound.attributes.as_ref().map(|about| about.event_type.clone())).collect()
}

/// Counts an event that the broker has.
pub(crate) fn count_published(event_type: Cow<'static, str>) {
    metrics::counter!("jitney_published_total", "event" => event_type).increment(1);
}
