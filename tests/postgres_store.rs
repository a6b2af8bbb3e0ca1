//! The event store on PostgreSQL against a real server, a module for each subject. What holds for every store is in the suite
//! for stores.

#![allow(clippy::unwrap_used)]
#![allow(unreachable_pub, reason = "the files of the race are modules of a bench too")]

#[path = "../benches/postgres_race/load.rs"]
mod load;
#[path = "../benches/postgres_race/reader.rs"]
mod reader;

mod postgres_store {
    mod appends;
    mod killed_server;
    mod migration;
    mod news;
    mod order;
    mod restored;
    mod server;
    mod transactions;
    mod watermark;
}
