//! Personal data in the databases of a service: sealed wherever it is stored, opened for whoever handles it; the same checks on each.

#![allow(clippy::unwrap_used)]

#[path = "sealed_stores/beside.rs"]
mod beside;
#[path = "sealed_stores/errors.rs"]
mod errors;
#[path = "sqlite_store/folder.rs"]
mod folder;
#[path = "sealed_stores/forgetting.rs"]
mod forgetting;
#[path = "sealed_stores/in_memory.rs"]
mod in_memory;
#[path = "sealed_stores/parcels.rs"]
mod parcels;
#[path = "sealed_stores/processes.rs"]
mod processes;
#[path = "sealed_stores/projections.rs"]
mod projections;
#[path = "sealed_stores/setting.rs"]
mod setting;

/// The tests of one database: of each check, one in a place of its own.
macro_rules! checks {
    ($database:ty: $($module:ident::$check:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $check() {
            crate::$module::$check(&<$database as crate::setting::Database>::new().await).await;
        }
    )*};
}

macro_rules! all_checks {
    ($database:ty) => {
        checks! {
            $database:
            beside::what_is_stored_with_an_append_is_in_no_table_as_plain_text
            beside::what_is_put_into_the_outbox_is_sealed_there_and_published_so
            beside::what_is_appended_in_a_transaction_is_sealed
            beside::what_an_inline_projection_is_given_is_opened
            beside::what_becomes_inline_is_given_what_was_there_opened
            beside::what_nothing_seals_goes_into_no_outbox
            processes::a_process_is_stored_sealed_and_goes_on_opened
            processes::a_process_waits_for_keys
            processes::who_is_forgotten_while_an_input_is_handled_is_read_anew
            processes::a_process_that_nothing_seals_is_not_stored
            processes::what_was_changed_is_put_aside
            processes::what_cannot_be_read_is_put_aside_without_its_values
            processes::a_state_that_was_changed_stops_its_process
            projections::a_projection_is_given_what_was_opened_and_waits_for_keys
            projections::a_projection_stops_at_no_event_where_the_set_up_is_wrong
            projections::a_projection_stops_at_what_was_changed
            projections::a_projection_parks_what_was_changed
            projections::what_a_projection_cannot_read_is_recorded_without_its_values
            forgetting::a_read_model_is_made_anew_without_who_is_forgotten
            forgetting::a_read_model_that_is_paused_is_refused_until_it_is_resumed
            forgetting::a_build_that_was_begun_before_does_not_count
            forgetting::a_snapshot_of_who_is_forgotten_is_gone
        }
    };
}

#[path = "sealed_stores/postgres.rs"]
mod postgres;
#[path = "sealed_stores/sqlite.rs"]
mod sqlite;
