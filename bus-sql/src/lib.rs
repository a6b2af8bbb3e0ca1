//! Event stores, outboxes, inboxes, read models and process managers on SQL databases: PostgreSQL (feature `postgres`) and SQLite
//! (feature `sqlite`), by sqlx.
//!
//! The two mirror each other file by file.

#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod correlation;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod inbox;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod inline;
#[cfg(all(feature = "privacy", any(feature = "postgres", feature = "sqlite")))]
mod keys;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod process;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod projection;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod tx;

#[cfg(all(feature = "privacy", feature = "postgres"))]
pub use postgres::PostgresKeyStore;
#[cfg(feature = "postgres")]
pub use postgres::{
    Holder, PostgresInbox, PostgresOutbox, PostgresProcessStore, PostgresReadModel, PostgresStore,
    PostgresStoreBuilder, PostgresTransaction, Watermark,
};
#[cfg(all(feature = "privacy", feature = "sqlite"))]
pub use sqlite::SqliteKeyStore;
#[cfg(feature = "sqlite")]
pub use sqlite::{
    SqliteInbox, SqliteOutbox, SqliteProcessStore, SqliteReadModel, SqliteStore, SqliteStoreBuilder,
    SqliteTransaction,
};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use tx::{Tx, TxOwner};

/// The database library underneath, for transactions of the application's own.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use sqlx;
