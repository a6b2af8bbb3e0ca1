//! Faults of what seals and opens.

use bytes::Bytes;
use jitney_core::personal::{Place, Sealer};
use jitney_sourcing::{Append, Error, StoredEvent};

use super::{Broken, Fault};

/// Seals nothing, and says that it has.
#[derive(Debug)]
struct Pretender;

#[async_trait::async_trait]
impl Sealer for Pretender {
    async fn seal(&self, _: Place<'_>, payload: Bytes) -> Result<Bytes, jitney_core::Error> {
        Ok(payload)
    }

    async fn open(&self, _: Place<'_>, payload: Bytes) -> Result<Bytes, jitney_core::Error> {
        Ok(payload)
    }
}

impl Broken {
    pub(super) async fn seal_broken(&self, append: Append) -> Result<Append, Error> {
        match self.fault {
            Some(Fault::TakesOpenPersonalData) if self.sealing.sealer().is_none() => {
                append.seal(&Pretender).await
            }
            Some(Fault::StoresPersonalDataOpen) => append.seal(&Pretender).await,
            _ => self.sealing.seal(append).await,
        }
    }

    pub(super) async fn open_broken(&self, events: Vec<StoredEvent>) -> Result<Vec<StoredEvent>, Error> {
        match self.fault {
            Some(Fault::LeavesPersonalDataSealed) => Ok(events),
            Some(Fault::ReadsOnWithoutKeys) => self.sealing.open(events.clone()).await.or(Ok(events)),
            Some(Fault::DropsWhatItCannotOpen) => {
                let mut events = self.sealing.open(events).await?;
                events.retain(|event| event.unopened().is_none());
                Ok(events)
            }
            _ => self.sealing.open(events).await,
        }
    }
}
