//! One test function for each check.

/// Makes one `#[test]` of each check of [`stores`](crate::stores), so that the test runner names them.
///
/// The fixture is an expression, evaluated for each check within the check's runtime, which has several threads; it may
/// `.await`.
///
/// Put it into a module of its own: the tests are called like the checks.
#[macro_export]
macro_rules! store_conformance_tests {
    ($fixture:expr) => {
        $crate::store_conformance_tests! { @checks $fixture,
            numbers_events_from_1
            answers_where_events_went
            takes_new_streams_alone
            takes_exact_sequences_alone
            takes_existing_streams_alone
            takes_any_stream
            conflicts_name_both_sequences
            recognizes_duplicates
            knows_ids_by_stream
            stores_all_events_or_none
            refuses_what_makes_no_sense
            appends_to_several_streams
            stores_all_streams_or_none
            refuses_streams_that_do_not_go_together
            keeps_odd_aggregate_ids_apart
            keeps_odd_aggregate_types_apart
            keeps_payloads_byte_by_byte
            keeps_large_payloads
            keeps_large_batches
            keeps_ids_types_and_versions
            keeps_metadata
            keeps_times_to_the_millisecond
            reads_streams_forward
            reads_streams_backward
            finds_nothing_in_missing_streams
            finds_events_by_id
            reads_everything_once
            reads_on_behind_each_event
            reads_on_behind_each_page
            filters_by_types
            passes_over_what_is_filtered_out
            says_when_it_is_at_the_end
            end_covers_what_was_stored
            positions_survive_as_text
            refuses_positions_of_other_stores
            wakes_when_something_is_stored
            waits_no_longer_than_asked
            finds_the_end_of_a_correlation
            tells_about_streams
            lists_streams_by_their_bytes
            lists_streams_by_state
            archived_streams_take_nothing
            archives_what_can_be_archived
            global_reads_pass_over_archived_streams
            ended_streams_take_nothing
            ends_streams_where_expected
            keeps_the_newest_snapshot
            forgets_deleted_snapshots
            returns_snapshots_as_they_are_found
            loads_from_snapshots
            passes_over_wrong_snapshots
            refuses_personal_data_that_nothing_seals
            stores_personal_data_sealed
            opens_personal_data_in_its_place_alone
            stores_and_reads_nothing_without_keys
            keeps_snapshots_sealed
            reads_old_versions
            names_what_it_cannot_read
            one_writer_wins_each_sequence
            stores_an_event_once
            followers_miss_nothing
            handles_a_command_once
            loses_no_command
            behaves_like_its_model
            keeps_everything_over_reopening
            keeps_snapshots_over_reopening
            survives_restarts_of_the_server
            survives_kills_of_the_server
            survives_writers_that_are_killed
            keeps_credentials_to_itself
        }
    };
    (@checks $fixture:expr, $($name:ident)*) => {
        $crate::store_conformance_tests! { @each ($fixture) $($name)* }
        #[test]
        fn every_check_has_a_test() {
            assert!($crate::stores::check_names().eq([$(stringify!($name)),*]));
        }
    };
    (@each ($fixture:expr) $name:ident $($others:ident)*) => {
        #[test]
        fn $name() {
            $crate::stores::test(stringify!($name), async { $fixture });
        }
        $crate::store_conformance_tests! { @each ($fixture) $($others)* }
    };
    (@each ($fixture:expr)) => {};
}
