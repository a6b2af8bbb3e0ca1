//! Layers between the envelope and the codec, in both directions: where validation and sealing hang.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use bytes::Bytes;

use crate::personal::Shown;
use crate::{Error, Head, RawEvent};

/// Sees every event on its way to the codec, and every delivery on its way from it.
///
/// A bus without layers does not pay for them: payloads are then written straight into the message.
#[async_trait]
pub trait PublishLayer: Debug + Send + Sync + 'static {
    /// Whether [`outgoing`](Self::outgoing) seals [personal](crate::personal) values: only then may an event have any.
    fn seals(&self) -> bool {
        false
    }

    /// Whether events of this origin pass through [`outgoing`](Self::outgoing); always the same answer. Asked when the bus is made, so
    /// that what passes through no layer costs nothing, and again for what passes through others.
    fn takes(&self, origin: Origin) -> bool {
        let _ = origin;
        true
    }

    /// Whether deliveries pass through [`incoming`](Self::incoming); asked as above.
    fn takes_deliveries(&self) -> bool {
        true
    }

    /// Checks or changes an event that is about to be encoded.
    ///
    /// # Errors
    ///
    /// The event is then not published, and the publisher gets the error.
    async fn outgoing(&self, event: &mut OutgoingEvent) -> Result<(), Error> {
        let _ = event;
        Ok(())
    }

    /// Checks or changes an event that was delivered, before it is upcast and handled. Layers are passed in
    /// reverse order here.
    ///
    /// # Errors
    ///
    /// The event is then tried again, where the error is retryable, and dead-lettered whole otherwise.
    async fn incoming(&self, event: &mut RawEvent) -> Result<(), Error> {
        let _ = event;
        Ok(())
    }
}

/// Where the payload of a published event comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A value of its Rust type, which the compiler has seen.
    Typed,
    /// JSON text: from another bus, an archive, an outbox, or somebody's hand.
    Raw,
}

/// An event between envelope and codec.
#[derive(Clone)]
pub struct OutgoingEvent {
    /// Everything but the payload.
    pub head: Head,
    /// The payload, as JSON text.
    pub payload: Bytes,
}

impl Debug for OutgoingEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OutgoingEvent { head, payload } = self;
        f.debug_struct("OutgoingEvent").field("head", head).field("payload", &Shown(payload)).finish()
    }
}
