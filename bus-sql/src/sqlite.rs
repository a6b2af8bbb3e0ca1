//! The event store in SQLite: a file, or memory, in this process.

mod append;
mod config;
mod error;
mod migrate;
mod notify;
mod outbox;
mod process;
mod read;
mod refusal;
mod row;
mod snapshots;
mod store;
mod streams;

pub use config::SqliteStoreBuilder;
pub use outbox::SqliteOutbox;
pub use process::SqliteProcessStore;
pub use store::SqliteStore;
