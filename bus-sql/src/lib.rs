//! Event stores and outboxes on SQL databases: PostgreSQL (feature `postgres`) and SQLite (feature `sqlite`), by sqlx.
//!
//! The two mirror each other file by file.

#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod outbox;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(feature = "postgres")]
pub use postgres::{Holder, PostgresOutbox, PostgresStore, PostgresStoreBuilder, Watermark};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteOutbox, SqliteStore, SqliteStoreBuilder};

/// The database library underneath, for transactions of the application's own.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use sqlx;
