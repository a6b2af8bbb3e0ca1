//! What the event store in SQLite promises beyond what every store does: its files, its transactions, other processes that
//! use the same file, and processes that are killed.

#![allow(clippy::unwrap_used)]

mod sqlite_store {
    pub(crate) mod child;
    pub(crate) mod events;
    pub(crate) mod folder;

    mod damaged;
    mod killed;
    mod opening;
    mod processes;
    mod transactions;
    mod waiting;
}
