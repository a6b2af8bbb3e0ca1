//! What is measured of every contestant.

use async_trait::async_trait;

/// Whatever went wrong.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How many events the account has that is loaded.
pub const LONG: usize = 1_000;

/// How many events of it are behind its newest snapshot.
pub const BEHIND_SNAPSHOT: usize = 100;

/// How often snapshots are made.
pub const SNAPSHOT_EVERY: usize = 300;

/// How many events are read when all are read, and how many at once.
pub const ALL: usize = 50_000;
pub const PAGE: usize = 1_000;

/// An event store with the accounts in it. What it cannot do is an error, and it is not asked for it.
#[async_trait]
pub trait Subject: Send + Sync {
    /// Loads the account `id`, has it decide on a deposit, and stores the event.
    async fn command(&self, id: &str) -> Result<(), Failure>;

    /// Stores one event in the stream of the account `id`, wherever it is, without loading it.
    async fn append(&self, _id: &str) -> Result<(), Failure> {
        Err("not measured".into())
    }

    /// The sum of the account that has [`LONG`] events.
    async fn load(&self, _with_snapshot: bool) -> Result<u64, Failure> {
        Err("not measured".into())
    }

    /// Reads [`ALL`] events in their order, and says how many they were.
    async fn read_all(&self) -> Result<usize, Failure> {
        Err("not measured".into())
    }
}
