//! Snapshots: the state of an aggregate at a sequence, so that a load need not read every event.
//!
//! A snapshot is a cache: without it, or when it does not prove to be what it says, the stream is read from its start.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::Id;
use uuid::Uuid;

use crate::{Error, ErrorKind, StreamId};

/// The state of an aggregate, as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredSnapshot {
    /// The sequence of the last event that is in the state.
    pub sequence: u64,
    /// The id of that event: a stream that has another one there is not the one that the state was made from.
    pub event_id: Id,
    /// A hash of the schema of the state and of how it follows from events.
    pub schema: Uuid,
    /// When it was made.
    pub time: Timestamp,
    /// The state, as JSON text.
    pub state: Bytes,
    /// A hash of all of the above.
    pub checksum: Uuid,
}

impl StoredSnapshot {
    /// The `state` behind the event `event_id`, which is the `sequence`-th, with its checksum.
    pub fn new(sequence: u64, event_id: Id, schema: Uuid, time: Timestamp, state: impl Into<Bytes>) -> Self {
        let (state, checksum) = (state.into(), Uuid::nil());
        let mut snapshot = StoredSnapshot { sequence, event_id, schema, time, state, checksum };
        snapshot.checksum = snapshot.computed_checksum();
        snapshot
    }

    /// Whether it is as it was made.
    pub fn is_intact(&self) -> bool {
        self.checksum == self.computed_checksum()
    }

    fn computed_checksum(&self) -> Uuid {
        let stamp = format!("{} {} {} ", self.sequence, self.event_id, self.time.as_millisecond());
        Uuid::new_v5(&self.schema, &[stamp.as_bytes(), &self.state].concat())
    }
}

/// Keeps the newest snapshot of each stream.
#[async_trait]
pub trait SnapshotStore: Send + Sync {
    /// The snapshot of a stream, where there is one. It is returned as it is found, whatever is wrong with it.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn load_snapshot(&self, stream: &StreamId) -> Result<Option<StoredSnapshot>, Error>;

    /// Keeps a snapshot in place of the one before.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open which of the two is kept.
    async fn save_snapshot(&self, stream: &StreamId, snapshot: StoredSnapshot) -> Result<(), Error>;

    /// Forgets the snapshot of a stream, where there is one.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is kept.
    async fn delete_snapshot(&self, stream: &StreamId) -> Result<(), Error>;

    /// Forgets each snapshot whose state has personal data of `subject`, by [how it is named](jitney_core::personal::mention_of), and says
    /// how many these were. A load then reads the stream, in whose events the data is erased. A snapshot that mentions the
    /// subject otherwise may go too: it is a cache.
    ///
    /// # Errors
    ///
    /// When the store does not answer: some may be gone, and the next call forgets the others. Of kind
    /// [`Unsupported`](ErrorKind::Unsupported) where the store cannot look into states.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open which of them are kept.
    async fn delete_snapshots_of(&self, subject: &str) -> Result<u64, Error> {
        let _ = subject;
        let what = "forgetting the snapshots with personal data of a subject: this store cannot look into states; raise \
                    `Aggregate::STATE_VERSION`, so that none of them is used any more";
        Err(Error::new(ErrorKind::Unsupported, what))
    }
}
