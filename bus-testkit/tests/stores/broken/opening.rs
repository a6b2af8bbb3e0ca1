//! Faults that show when the store is opened again.

use jitney_sourcing::{Error, EventStore, SnapshotStore, StreamState};

use super::{Broken, Fault};

impl Broken {
    pub(crate) async fn open(&self) -> Result<(), Error> {
        let streams: Vec<_> = self.shared.streams.lock().unwrap().iter().cloned().collect();
        for stream in streams {
            match self.fault {
                Some(Fault::RestoresOnReopening) => {
                    let info = self.memory().stream_info(&stream).await?;
                    if info.is_some_and(|info| info.state == StreamState::Archived) {
                        self.memory().restore(&stream).await?;
                    }
                }
                Some(Fault::LosesSnapshotsOnReopening) => self.memory().delete_snapshot(&stream).await?,
                _ => {}
            }
        }
        Ok(())
    }
}
