//! Event stores, outboxes and processes on SQL databases: PostgreSQL (feature `postgres`) and SQLite (feature `sqlite`), by sqlx.
//!
//! The two mirror each other file by file.

#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod process;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "postgres")]
pub use postgres::{
    Holder, PostgresOutbox, PostgresProcessStore, PostgresStore, PostgresStoreBuilder, Watermark,
};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteOutbox, SqliteProcessStore, SqliteStore, SqliteStoreBuilder};

/// The database library underneath, for transactions of the application's own.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use sqlx;
