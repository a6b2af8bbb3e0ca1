//! The vault as a layer of a bus.

use async_trait::async_trait;
use jitney_core::personal::Place;
use jitney_core::publish::{OutgoingEvent, PublishLayer};
use jitney_core::{Error, RawEvent};

use super::Vault;
use super::sealer::Doing;

/// Seals the personal values of events that a bus publishes, and opens those of events that are delivered; made by
/// [`Vault::layer`].
///
/// An event that cannot be sealed is not published, and the publisher has the error. One that cannot be opened is tried again
/// where a key could not be had, as often as its handler's retries say, and is dead-lettered as it came, sealed, otherwise.
#[derive(Debug, Clone)]
pub struct VaultLayer {
    vault: Vault,
}

impl VaultLayer {
    pub(super) fn new(vault: Vault) -> Self {
        VaultLayer { vault }
    }
}

#[async_trait]
impl PublishLayer for VaultLayer {
    fn seals(&self) -> bool {
        true
    }

    async fn outgoing(&self, event: &mut OutgoingEvent) -> Result<(), Error> {
        let place = Place::of_event(&event.head);
        let sealed = self.vault.sealed(place, &event.payload).await;
        let sealed = sealed.map_err(|error| error.while_doing(Doing("not published: sealing", place)))?;
        if let Some(sealed) = sealed {
            event.payload = sealed;
        }
        Ok(())
    }

    async fn incoming(&self, event: &mut RawEvent) -> Result<(), Error> {
        let head = event.shared_head();
        let place = Place::of_event(&head);
        let opened = self.vault.opened(place, event.payload_json()).await;
        if let Some(opened) = opened.map_err(|error| error.while_doing(Doing("opening", place)))? {
            event.set_payload_json(opened);
        }
        Ok(())
    }
}
