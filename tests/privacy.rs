//! Personal data on its way through buses, and its keys in databases.

#![allow(clippy::unwrap_used, unreachable_pub)]

#[path = "sqlite_store/folder.rs"]
mod folder;
#[path = "postgres_store/server.rs"]
#[allow(dead_code)]
mod server;

mod privacy {
    #[cfg(all(feature = "kafka", feature = "rabbitmq"))]
    mod brokers;
    mod bus;
    mod dead_letters;
    mod fixture;
    mod key_stores;
    mod log;
    mod misplaced;
    mod pseudonyms;
}
