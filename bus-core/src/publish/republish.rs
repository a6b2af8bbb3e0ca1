//! Publishing an event that has its envelope already: one from another bus, or from an archive.

use super::{Bus, Draft};
use crate::codec::JsonPayload;
use crate::message::Outbound;
use crate::personal::{NotCollected, visible};
use crate::transport::Published;
use crate::{Error, ErrorKind, RawEvent};

impl Bus {
    /// Publishes `event` as it is: under its own id, time, version and chain, to the topic and with the key of the message
    /// that it came in; without a key there, with its aggregate's id. Readers that have handled it recognise it.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish); and of kind [`Encode`](ErrorKind::Encode) where its [personal](crate::personal) data
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
        // Another bus's layer has opened it.
        if !self.seals() && visible(event.payload_json()) > 0 {
            let head = event.head();
            let what = format!(
                "publishing `{}` {} again through {}, which seals nothing",
                head.event_type,
                head.event_id,
                self.transport().describe()
            );
            return Err(Error::new(ErrorKind::Encode, what).with_source(NotCollected));
        }
        let message = event.message();
        let payload = JsonPayload(event.payload_json().to_vec().into());
        let key = message.key.clone();
        let draft =
            Draft { head: event.head().clone(), topic: message.topic.clone(), key, payload: &payload };
        self.encode(draft).await
    }
}
