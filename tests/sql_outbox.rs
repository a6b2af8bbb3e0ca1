//! The outboxes of SQL databases: what is committed is published, and nothing else; the same checks on each.

#![allow(clippy::unwrap_used)]

#[path = "sql_outbox/checks.rs"]
mod checks;
#[path = "dispatch/events.rs"]
#[allow(dead_code)]
mod events;
#[path = "sqlite_store/folder.rs"]
mod folder;
#[path = "dispatch/scripted.rs"]
#[allow(dead_code)]
mod scripted;

/// The tests of one database: of each check, one on a database of its own.
macro_rules! checks {
    ($service:ty: $($check:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $check() {
            crate::checks::$check(<$service>::new().await).await;
        }
    )*};
}

macro_rules! all_checks {
    ($service:ty) => {
        checks! {
            $service:
            what_is_committed_is_published_and_what_is_rolled_back_is_not
            a_relay_hears_of_a_commit
            relays_share_the_keys_and_take_over_from_each_other
            what_is_put_aside_can_be_sent_again
            what_is_appended_is_published_with_its_sequence
            an_append_that_is_refused_leaves_nothing_to_publish
        }
    };
}

#[cfg(feature = "postgres")]
#[path = "sql_outbox/postgres.rs"]
mod postgres;
#[cfg(feature = "sqlite")]
#[path = "sql_outbox/sqlite.rs"]
mod sqlite;
