//! The event store in SQLite: a file, or memory, in this process.

mod append;
mod config;
mod error;
mod inbox;
mod inline;
#[cfg(feature = "privacy")]
mod keys;
mod migrate;
mod notify;
mod outbox;
mod overwrite;
mod process;
mod projection;
#[cfg(feature = "privacy")]
mod pseudonyms;
mod read;
mod refusal;
mod row;
mod snapshots;
mod store;
mod streams;

pub use config::SqliteStoreBuilder;
pub use inbox::SqliteInbox;
#[cfg(feature = "privacy")]
pub use keys::SqliteKeyStore;
pub use outbox::SqliteOutbox;
pub use process::SqliteProcessStore;
pub use projection::{SqliteReadModel, SqliteTransaction};
pub use store::SqliteStore;
