//! Process managers: what follows from inputs and from time, on every store, through crashes and races.

#![allow(clippy::unwrap_used)]

#[path = "processes/backend.rs"]
mod backend;
#[path = "processes/bus.rs"]
mod bus;
#[path = "processes/checks.rs"]
mod checks;
#[path = "processes/crashes.rs"]
mod crashes;
#[path = "processes/deadlines.rs"]
mod deadlines;
#[path = "sqlite_store/folder.rs"]
mod folder;
#[path = "processes/interposed.rs"]
mod interposed;
#[path = "processes/killed.rs"]
mod killed;
#[path = "processes/order_flow.rs"]
mod order_flow;
#[path = "processes/poison.rs"]
mod poison;
#[path = "../examples/saga.rs"]
#[allow(dead_code, reason = "it is a program")]
mod saga;
#[path = "processes/same_names.rs"]
mod same_names;
#[path = "processes/scenarios.rs"]
mod scenarios;
#[path = "processes/stubborn.rs"]
mod stubborn;
#[path = "processes/tally.rs"]
mod tally;
#[path = "processes/versions.rs"]
mod versions;

/// The tests of one store: of each check, one on a store of its own.
macro_rules! checks {
    ($backend:ident in $module:ident: $($file:ident: $($check:ident)*;)*) => {
        mod $module {
            $($(
                #[tokio::test(flavor = "multi_thread")]
                async fn $check() {
                    let backend = <crate::backend::$backend as crate::backend::Backend>::new().await;
                    crate::$file::$check(backend).await;
                }
            )*)*
        }
    };
}

macro_rules! all_checks {
    ($($backend:ident in $module:ident)*) => {$(
        checks! {
            $backend in $module:
            checks:
                an_order_goes_its_way_and_what_is_sent_follows_from_its_cause
                an_order_that_is_refused_gives_back_what_it_took
                inputs_that_come_again_change_nothing
                inputs_that_come_at_once_are_all_handled
                one_runner_follows_and_another_takes_over
                processes_can_be_listed_looked_at_and_removed;
            deadlines:
                a_deadline_fires_once_though_many_look_after_it
                deadlines_outlive_their_runner
                a_deadline_that_is_taken_back_in_the_same_moment_does_not_fire
                a_deadline_is_moved_and_set_again_by_itself
                a_deadline_that_fails_keeps_no_other_from_firing
                a_deadline_is_kept_for_no_time_before_its_own;
            crashes:
                a_crash_at_any_step_changes_nothing_in_the_end;
            poison:
                a_runner_stops_at_what_it_cannot_handle_until_it_is_passed_over
                what_cannot_be_handled_is_put_aside_and_handled_later
                what_the_store_refuses_is_found_among_the_others_and_put_aside
                an_event_that_was_put_aside_meanwhile_stays_so_when_it_is_passed_over
                what_was_put_aside_and_is_ignored_stays_until_it_is_forgotten;
            versions:
                an_old_state_is_upcast_and_a_newer_or_broken_one_is_refused
                an_older_program_lets_a_newer_one_follow_and_puts_nothing_aside;
        }
    )*};
}

all_checks! {
    Memory in memory
    Sqlite in sqlite
    Postgres in postgres
}
