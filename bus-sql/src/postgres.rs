//! The event store on PostgreSQL, from version 13 on.
//!
//! The way of an append: [`store`](self::store) → [`append`](self::append) → one statement. The order that readers follow is
//! made of three numbers, stored with each event: the epoch of the database, a transaction id, and a counter. The transaction
//! id is that of the writer, or of the stream's event before where that is greater, so that a stream is in its order. A
//! reader stops in front of the oldest transaction that still runs ([`watermark`](self::watermark)): nothing can appear before
//! the place that it has come to.

mod append;
mod config;
mod epoch;
mod error;
mod inbox;
mod inline;
#[cfg(feature = "privacy")]
mod keys;
mod migrate;
mod notify;
mod outbox;
mod process;
mod projection;
#[cfg(feature = "privacy")]
mod pseudonyms;
mod read;
mod refusal;
mod row;
mod schema;
mod snapshots;
mod store;
mod streams;
mod watermark;

pub use self::config::PostgresStoreBuilder;
pub use self::inbox::PostgresInbox;
#[cfg(feature = "privacy")]
pub use self::keys::PostgresKeyStore;
pub use self::outbox::PostgresOutbox;
pub use self::process::PostgresProcessStore;
pub use self::projection::{PostgresReadModel, PostgresTransaction};
pub use self::store::PostgresStore;
pub use self::watermark::{Holder, Watermark};
