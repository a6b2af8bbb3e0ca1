//! Publishing an event that has its envelope already: one from another bus, or from an archive.

use super::{Bus, Draft};
use crate::codec::JsonPayload;
use crate::{Error, RawEvent};

impl Bus {
    /// Publishes `event` as it is: under its own id, time, version and chain, to the topic and with the key of the message
    /// that it came in; without a key there, with its aggregate's id. Readers that have handled it recognise it.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether the event is published; publishing it again does no harm.
    pub async fn republish(&self, event: &RawEvent) -> Result<(), Error> {
        let message = event.message();
        let payload = JsonPayload(event.payload_json().to_vec().into());
        let key = message.key.clone();
        let draft =
            Draft { head: event.head().clone(), topic: message.topic.clone(), key, payload: &payload };
        let outbound = self.encode(draft).await?;
        self.transport().publish_one(outbound).await.into_result()
    }
}
