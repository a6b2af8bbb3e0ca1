//! Faults of snapshots.

use async_trait::async_trait;
use jitney_sourcing::{Error, SnapshotStore, StoredSnapshot, StreamId};

use super::{Broken, Fault};

#[async_trait]
impl SnapshotStore for Broken {
    async fn load_snapshot(&self, stream: &StreamId) -> Result<Option<StoredSnapshot>, Error> {
        let found = self.memory().load_snapshot(&self.kept(stream)).await?;
        Ok(match self.fault {
            Some(Fault::LosesSnapshots) => None,
            Some(Fault::DropsDamagedSnapshots) => found.filter(StoredSnapshot::is_intact),
            Some(Fault::RepairsSnapshots) => found.map(|found| {
                StoredSnapshot::new(found.sequence, found.event_id, found.schema, found.time, found.state)
            }),
            _ => found,
        })
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: StoredSnapshot) -> Result<(), Error> {
        let stream = &self.kept(stream);
        if self.is(Fault::KeepsTheHighestSnapshot) {
            let kept = self.memory().load_snapshot(stream).await?;
            if kept.is_some_and(|kept| kept.sequence > snapshot.sequence) {
                return Ok(());
            }
        }
        self.memory().save_snapshot(stream, snapshot).await
    }

    async fn delete_snapshots_of(&self, subject: &str) -> Result<u64, Error> {
        match self.fault {
            Some(Fault::KeepsSnapshotsOfASubject) => Ok(1),
            _ => self.memory().delete_snapshots_of(subject).await,
        }
    }

    async fn delete_snapshot(&self, stream: &StreamId) -> Result<(), Error> {
        match self.fault {
            Some(Fault::KeepsDeletedSnapshots) => Ok(()),
            _ => self.memory().delete_snapshot(&self.kept(stream)).await,
        }
    }
}
