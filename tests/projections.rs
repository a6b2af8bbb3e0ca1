//! Projections: what is in a read model is what follows from the events, whatever happens; the same checks on each database.

#![allow(clippy::unwrap_used)]

#[path = "projections/builds.rs"]
mod builds;
#[path = "projections/bus.rs"]
mod bus;
#[path = "projections/checks.rs"]
mod checks;
#[path = "projections/declared.rs"]
mod declared;
#[path = "../examples/read_model_redb.rs"]
#[allow(dead_code, reason = "it is a program")]
mod example;
#[path = "sqlite_store/folder.rs"]
mod folder;
#[path = "projections/inline.rs"]
mod inline;
#[path = "projections/interrupted.rs"]
mod interrupted;
#[path = "projections/setting.rs"]
mod setting;

/// The tests of one database: of each check, one in a place of its own.
macro_rules! checks {
    ($database:ty: $($module:ident: $($check:ident)*;)*) => {$($(
        #[tokio::test(flavor = "multi_thread")]
        async fn $check() {
            crate::$module::$check(&<$database as crate::setting::Database>::new().await).await;
        }
    )*)*};
}

macro_rules! all_checks {
    ($database:ty) => {
        checks! {
            $database:
            checks:
                what_is_appended_is_in_the_read_model
                what_a_request_has_led_to_is_waited_for_by_its_correlation_id
                a_projector_that_is_started_again_goes_on_where_it_was
                projectors_share_the_shards_and_miss_and_repeat_nothing
                a_projector_that_is_killed_is_replaced_when_its_lease_has_passed
                a_worker_that_has_lost_its_shard_cannot_move_the_checkpoint
                what_is_paused_stays_so_until_it_is_resumed
                an_event_that_cannot_be_handled_stops_its_shard_and_can_be_skipped
                a_shard_that_has_stopped_further_on_fails_no_wait
                what_has_stopped_goes_on_when_it_is_mended
                an_event_that_cannot_be_handled_is_parked_where_that_is_wanted
                an_error_that_is_not_permanent_is_tried_again
                a_panic_is_an_error_that_stops_its_shard
                another_number_of_shards_is_refused
                what_is_told_behind_a_commit_is_told_once_and_not_of_the_past;
            builds:
                a_higher_version_is_built_beside_and_takes_its_place
                a_rebuild_leaves_readers_what_they_had_until_it_is_done
                a_rebuild_changes_the_number_of_shards
                a_rebuild_that_stops_says_where_and_goes_on_later
                a_rebuild_does_not_overtake_the_live_build
                a_rebuild_of_what_is_paused_is_paused_too
                a_build_that_is_being_made_is_not_made_again
                a_version_that_takes_over_in_the_past_tells_nobody_of_it
                a_version_of_fewer_shards_that_takes_over_in_the_past_tells_nobody_of_it
                an_older_version_waits;
        }
    };
}

/// The same where events may come by a bus.
macro_rules! bus_checks {
    ($database:ty) => {
        checks! {
            $database:
            bus:
                what_a_bus_delivers_again_changes_nothing
                what_was_overtaken_is_neither_handled_late_nor_lost
                what_cannot_be_handled_is_a_dead_letter_and_can_come_again
                an_event_of_a_batch_that_cannot_be_handled_takes_no_other_with_it
                a_projection_of_a_bus_stops_where_that_is_wanted
                what_comes_by_a_bus_waits_while_it_is_paused
                of_two_that_have_one_event_one_handles_it
                marks_are_those_of_a_simple_model
                a_store_and_a_bus_do_not_feed_one_projection
                what_follows_a_store_takes_no_events_of_a_bus;
        }
    };
}

/// The same where projections may be inline.
macro_rules! inline_checks {
    ($database:ty) => {
        checks! {
            $database:
            inline:
                what_is_appended_inline_is_read_at_once
                what_an_inline_projection_refuses_is_not_stored
                a_store_without_what_is_inline_appends_nothing
                stores_that_are_opened_at_once_make_what_is_inline_once
                what_was_there_before_is_in_what_becomes_inline
                more_than_a_page_that_was_there_before_is_in_what_becomes_inline
                what_is_paused_does_not_become_inline_and_what_is_inline_does_not_pause
                a_higher_version_is_made_before_it_is_inline
                what_becomes_inline_while_others_append_misses_nothing
                a_projector_gives_way_to_appends_and_takes_over_from_them;
        }
    };
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
macro_rules! durable_inline_checks {
    ($database:ty, $module:literal) => {
        checks! {
            $database:
            inline:
                what_is_appended_inline_in_a_transaction_goes_with_it
                a_transaction_without_what_is_inline_appends_nothing;
        }

        #[tokio::test]
        #[ignore = "another test starts it, and kills it"]
        async fn appends_for_ever() {
            crate::inline::append_for_ever::<$database>().await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn a_writer_that_is_killed_leaves_both_or_neither() {
            let database = <$database as crate::setting::Database>::new().await;
            let writer = concat!($module, "::appends_for_ever");
            crate::inline::a_writer_that_is_killed_leaves_both_or_neither(&database, writer).await;
        }
    };
}

#[cfg(all(feature = "kafka", feature = "postgres", feature = "sqlite"))]
#[path = "projections/kafka.rs"]
mod kafka;

// Behind the macros that they use.
#[path = "projections/memory.rs"]
mod memory;
#[cfg(feature = "postgres")]
#[path = "projections/postgres.rs"]
mod postgres;
#[path = "projections/redb.rs"]
mod redb_file;
#[cfg(feature = "sqlite")]
#[path = "projections/sqlite.rs"]
mod sqlite;
#[cfg(feature = "sqlite")]
#[path = "projections/sqlite_swap.rs"]
mod sqlite_swap;
