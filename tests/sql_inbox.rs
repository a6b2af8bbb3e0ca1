//! The inboxes of SQL databases: an event is handled once, with what its handler writes and returns, or not at all; the same
//! checks on each.

#![allow(clippy::unwrap_used)]

#[path = "sql_inbox/batches.rs"]
mod batches;
#[path = "sql_inbox/checks.rs"]
mod checks;
#[path = "sql_inbox/cleaning.rs"]
mod cleaning;
#[path = "dispatch/events.rs"]
#[allow(dead_code)]
mod events;
#[path = "sqlite_store/folder.rs"]
mod folder;
#[path = "sql_inbox/killed.rs"]
mod killed;
#[path = "sql_inbox/lent.rs"]
mod lent;
#[path = "dispatch/scripted.rs"]
#[allow(dead_code)]
mod scripted;
#[path = "sql_inbox/service.rs"]
mod service;
#[path = "sql_inbox/startup.rs"]
mod startup;
#[path = "dispatch/witness.rs"]
#[allow(dead_code)]
mod witness;

/// The tests of one database: of each check, one on a database of its own.
macro_rules! checks {
    ($service:ty: $($module:ident::$check:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $check() {
            crate::$module::$check(<$service>::new().await).await;
        }
    )*};
}

macro_rules! all_checks {
    ($service:ty) => {
        checks! {
            $service:
            checks::what_a_handler_writes_and_returns_is_committed_with_its_mark
            checks::an_attempt_that_fails_leaves_nothing
            checks::a_dead_letter_was_not_handled
            checks::of_two_members_with_one_event_at_once_one_handles_it
            checks::a_member_handles_what_another_one_has_failed_at
            checks::a_natural_key_is_handled_once_whatever_events_carry_it
            checks::a_key_of_any_length_and_content_is_recognised
            checks::handlers_without_a_transaction_are_marked_too
            lent::a_handler_that_keeps_its_transaction_has_failed
            lent::a_handler_that_is_run_twice_in_one_attempt_has_failed
            batches::a_batch_is_handled_in_one_transaction_without_what_was_handled_before
            batches::what_fails_in_a_batch_takes_nothing_with_it
            batches::what_is_to_wait_in_a_batch_holds_nothing_else_up
            cleaning::old_marks_are_deleted_and_natural_keys_kept
            cleaning::each_inbox_of_a_store_keeps_its_marks_for_its_own_time
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_process_that_is_killed_before_the_commit_has_handled_nothing() {
            match crate::killed::child() {
                Some(child) => child.obey::<$service>().await,
                None => crate::killed::before_the_commit(<$service>::new().await).await,
            }
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_process_that_is_killed_behind_the_commit_has_handled_its_event() {
            match crate::killed::child() {
                Some(child) => child.obey::<$service>().await,
                None => crate::killed::behind_the_commit(<$service>::new().await).await,
            }
        }
    };
}

#[path = "sql_inbox/postgres.rs"]
mod postgres;
#[path = "sql_inbox/sqlite.rs"]
mod sqlite;
