//! Publishing an event that has its envelope already: one from another bus, or from an archive.

use super::{Bus, Draft, Origin};
use crate::codec::JsonPayload;
use crate::message::Outbound;
use crate::transport::Published;
use crate::{Error, RawEvent};

impl Bus {
    /// Publishes `event` as it is: under its own id, time, version and chain, to the topic and with the key of the message
    /// that it came in; without a key there, with its aggregate's id. Readers that have handled it recognise it.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish); and of kind [`Encode`](crate::ErrorKind::Encode) where its [personal](crate::personal) data
    /// was opened by a layer of the bus that it came from, and no layer of this one seals it.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether the event is published; publishing it again does no harm.
    pub async fn republish(&self, event: &RawEvent) -> Result<(), Error> {
        let outbound = self.encode_again(event).await?;
        self.transport().publish_one(outbound).await.into_result()
    }

    /// Publishes `events` in one batch, each as [`republish`](Self::republish) does. Answers for each of them, in their
    /// order; one that cannot be encoded keeps no other from being published.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open which of them are published; publishing them again does no harm.
    pub async fn republish_all(&self, events: &[RawEvent]) -> Vec<Result<(), Error>> {
        let (mut batch, mut refused) = (Vec::with_capacity(events.len()), Vec::with_capacity(events.len()));
        for event in events {
            match self.encode_again(event).await {
                Ok(outbound) => {
                    batch.push(outbound);
                    refused.push(None);
                }
                Err(error) => refused.push(Some(error)),
            }
        }
        let mut outcomes = match batch.is_empty() {
            true => Vec::new(),
            false => self.transmit(batch).await,
        }
        .into_iter()
        .map(Published::into_result);
        let outcome = |refused: Option<Error>| match refused {
            Some(error) => Err(error),
            None => outcomes.next().expect("there is an outcome for each message that was sent"),
        };
        refused.into_iter().map(outcome).collect()
    }

    async fn encode_again(&self, event: &RawEvent) -> Result<Outbound, Error> {
        let message = event.message();
        let payload = JsonPayload(event.payload_json().to_vec().into());
        let key = message.key.clone();
        let (head, topic) = (event.head().clone(), message.topic.clone());
        let draft = Draft { head, topic, key, payload: &payload, origin: Origin::Raw };
        self.encode(draft).await
    }
}
