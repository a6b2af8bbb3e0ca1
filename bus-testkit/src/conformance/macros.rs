//! One test function for each check.

/// Makes one `#[test]` of each check, so that the test runner names them.
///
/// The clock is [`Virtual`](crate::conformance::Clock::Virtual) or [`Real`](crate::conformance::Clock::Real); the
/// fixture is an expression, evaluated for each check within the check's runtime, where it may `.await`.
///
/// Put it into a module of its own: the tests are called like the checks.
#[macro_export]
macro_rules! conformance_tests {
    ($clock:ident, $fixture:expr) => {
        $crate::conformance_tests! { @checks $clock, $fixture,
            delivers_what_was_published
            delivers_10_000_events
            delivers_from_20_topics
            keeps_order_per_key
            answers_each_event_in_order
            rejects_what_is_too_large
            loses_nothing_published_before_close
            close_sends_what_is_buffered
            publish_after_close_is_an_error
            closes_once_for_all
            dropped_publishes_harm_no_others
            shares_5_000_events_among_50_members
            keeps_topics_apart
            gives_every_group_everything
            broadcasts_to_every_member
            new_group_gets_the_backlog
            latest_begins_with_the_next
            ensured_group_gets_what_came_before_it_joined
            deleted_group_begins_anew
            gives_nothing_without_demand
            gives_no_more_than_demanded
            keeps_to_its_batches
            keeps_to_the_prefetch
            cancelled_polls_lose_nothing
            settled_does_not_come_again
            retry_comes_again
            counts_deliveries
            retry_waits_for_its_delay
            unsettled_goes_to_another_member
            leaving_gives_back_what_is_unsettled
            continues_after_close
            unsettled_does_not_block_the_next
            settles_out_of_order
            ignores_an_old_epoch
            ignores_a_second_settlement
            keep_alive_holds_a_delivery
            takes_back_what_is_held_too_long
            stores_dead_letters_whole
            publishes_all_or_nothing
            stores_outputs_with_settlements
            outputs_wait_for_what_came_earlier
            replays_from_the_earliest
            replays_from_a_position
            replays_from_a_time
            lag_grows_and_shrinks
            carries_messages_whole
            carries_any_bytes
            carries_large_messages
            loses_nothing_while_members_come_and_go
            survives_restarts_of_the_broker
            keeps_credentials_to_itself
        }
    };
    (@checks $clock:ident, $fixture:expr, $($name:ident)*) => {
        $crate::conformance_tests! { @each ($clock, $fixture) $($name)* }
        #[test]
        fn every_check_has_a_test() {
            assert!($crate::conformance::check_names().eq([$(stringify!($name)),*]));
        }
    };
    (@each ($clock:ident, $fixture:expr) $name:ident $($others:ident)*) => {
        #[test]
        fn $name() {
            let clock = $crate::conformance::Clock::$clock;
            $crate::conformance::test(stringify!($name), clock, async { $fixture });
        }
        $crate::conformance_tests! { @each ($clock, $fixture) $($others)* }
    };
    (@each ($clock:ident, $fixture:expr)) => {};
}
