//! For each fault: the suite fails, and the check that fails is the one that names it.

use jitney_testkit::conformance::Verdict;

use super::broken::Fault;
use super::report;

macro_rules! faults {
    ($($test:ident: $fault:ident is caught by [$($check:ident)+] saying $words:literal;)*) => {$(
        #[test]
        fn $test() {
            $({
                let report = report(stringify!($check), Fault::$fault);
                assert_eq!(report.failed(), [stringify!($check)], "{report}");
                let Verdict::Failed(reason) = &report.checks[0].verdict else { panic!("{report}") };
                assert!(reason.contains($words), "{reason}");
            })+
        }
    )*};
}

faults! {
    losing_each_100th: LosesEach100th is caught by [delivers_what_was_published] saying "of 100 events came";
    losing_one_of_10_000: LosesThe7777th is caught by [delivers_10_000_events] saying "9999 of 10000 events came";
    swapping_order: SwapsOrder is caught by [keeps_order_per_key] saying "violated: order per key";
    acking_before_storing: AcksBeforeStoring is caught by [loses_nothing_published_before_close close_sends_what_is_buffered] saying "events came";
    answering_in_reverse: AnswersInReverse is caught by [answers_each_event_in_order] saying "the outcomes of a batch were";
    accepting_too_much: AcceptsWhatIsTooLarge is caught by [rejects_what_is_too_large] saying "not with a rejection";
    acking_after_close: AcksAfterClose is caught by [publish_after_close_is_an_error] saying "acked after close";
    closing_once: ClosesOnce is caught by [closes_once_for_all] saying "closed before";
    dropped_publishes: DroppedPublishTakesAnother is caught by [dropped_publishes_harm_no_others] saying "acked events came";
    dropping_headers: DropsHeaders is caught by [carries_messages_whole carries_any_bytes] saying "headers";
    shifting_time: ShiftsTime is caught by [carries_messages_whole] saying "delivered as of";
    truncating_bodies: TruncatesBodies is caught by [carries_any_bytes] saying "a body of 1000 bytes";
    truncating_large_bodies: TruncatesLargeBodies is caught by [carries_large_messages] saying "came as other 32768 bytes";
    mixing_topics: MixesTopics is caught by [keeps_topics_apart] saying "every event of the topic was settled, but";
    mixing_groups: MixesGroups is caught by [gives_every_group_everything] saying "events came";
    forgetting_topics: ForgetsTopics is caught by [delivers_from_20_topics] saying "250 of 500 events came";
    sharing_with_all: SharesWithEveryMember is caught by [settled_does_not_come_again] saying "acked by a member that left";
    broadcasting_to_one: BroadcastsToOne is caught by [broadcasts_to_every_member] saying "in vain";
    no_backlog: KeepsNoBacklog is caught by [new_group_gets_the_backlog] saying "0 of 100 events came";
    earliest_for_latest: StartsAtTheEarliest is caught by [latest_begins_with_the_next] saying "published before the group began";
    ignoring_prefetch: IgnoresPrefetch is caught by [keeps_to_the_prefetch] saying "the prefetch is 10";
    blocking_the_next: BlocksTheNext is caught by [unsettled_does_not_block_the_next] saying "1 of 100 deliveries came";
    ignoring_no_demand: IgnoresDemand is caught by [gives_nothing_without_demand] saying "a demand of nothing";
    exceeding_its_batches: GivesLargerBatches is caught by [keeps_to_its_batches] saying "the backend says 2";
    giving_too_much: GivesTooMuch is caught by [gives_no_more_than_demanded] saying "with a demand of";
    losing_on_cancelled_polls: LosesOnCancelledPoll is caught by [cancelled_polls_lose_nothing] saying "to a reader that turned away";
    delivering_twice: DeliversTwice is caught by [delivers_what_was_published] saying "everything was settled, but";
    duplicates_among_members: DeliversTwice is caught by [shares_5_000_events_among_50_members] saying "settled means settled";
    inventing: InventsDeliveries is caught by [delivers_from_20_topics] saying "nothing is invented";
    delivering_after_ack: DeliversAfterAck is caught by [settled_does_not_come_again] saying "everything was acked, but";
    repeating_settled_events: DeliversAfterAck is caught by [loses_nothing_while_members_come_and_go] saying "settled means settled";
    counting_wrongly: CountsWrongly is caught by [counts_deliveries] saying "delivery 2 of";
    losing_unsettled_on_drop: LosesUnsettledOnDrop is caught by [unsettled_goes_to_another_member loses_nothing_while_members_come_and_go] saying "in vain";
    losing_unsettled_on_close: LosesUnsettledOnClose is caught by [continues_after_close] saying "0 of 10 events came";
    ignoring_retry: IgnoresRetry is caught by [retry_comes_again] saying "0 of 2 deliveries came";
    ignoring_delay: IgnoresDelay is caught by [retry_waits_for_its_delay] saying "came after";
    ignoring_epochs: IgnoresEpoch is caught by [ignores_an_old_epoch] saying "0 of 10 events came";
    settling_twice: SettlesTwice is caught by [ignores_a_second_settlement] saying "acked before it was settled otherwise";
    settling_all_before: SettlesAllBefore is caught by [settles_out_of_order] saying "was the only one unsettled";
    losing_unsettled_on_leave: LosesUnsettledOnLeave is caught by [leaving_gives_back_what_is_unsettled] saying "0 of 20 events came";
    ignoring_keep_alive: IgnoresKeepAlive is caught by [keep_alive_holds_a_delivery] saying "kept alive by another member";
    taking_nothing_back: TakesNothingBack is caught by [takes_back_what_is_held_too_long] saying "did not come again";
    losing_dead_letters: LosesDeadLetters is caught by [stores_dead_letters_whole] saying "0 dead letters are there";
    stripping_dead_letters: StripsDeadLetters is caught by [stores_dead_letters_whole] saying "lacks the header";
    repeating_dead_letters: RepeatsDeadLetters is caught by [stores_dead_letters_whole] saying "stored as a dead letter, but";
    publishing_one_by_one: PublishesOneByOne is caught by [publishes_all_or_nothing] saying "behind a batch that was refused";
    storing_outputs_at_once: StoresOutputsAtOnce is caught by [stores_outputs_with_settlements outputs_wait_for_what_came_earlier] saying "something earlier in the partition is unsettled, but";
    losing_outputs: LosesOutputs is caught by [stores_outputs_with_settlements outputs_wait_for_what_came_earlier] saying "waited 20s in vain";
    outputs_of_the_dead: OutputsOutliveTheirMember is caught by [stores_outputs_with_settlements] saying "the member went before";
    ignoring_seek: IgnoresSeek is caught by [replays_from_the_earliest replays_from_a_position replays_from_a_time] saying "events came";
    seeking_one_too_far: SeeksOneTooFar is caught by [replays_from_a_position] saying "9 of 10 events came";
    seeking_time_wrongly: SeeksTimeAtTheEarliest is caught by [replays_from_a_time] saying "beginning with Time";
    hiding_lag: LagIsZero is caught by [lag_grows_and_shrinks] saying "the lag stays at 0";
    making_no_groups: MakesNoGroups is caught by [ensured_group_gets_what_came_before_it_joined] saying "of 50 events came";
    keeping_deleted_groups: KeepsDeletedGroups is caught by [deleted_group_begins_anew] saying "of 50 events came";
    deleting_groups_in_use: DeletesGroupsInUse is caught by [deleted_group_begins_anew] saying "although it has a member";
    leaking_the_password: LeaksPassword is caught by [keeps_credentials_to_itself] saying "describe()";
    leaking_the_password_in_errors: LeaksPasswordInErrors is caught by [keeps_credentials_to_itself] saying "the error of a publish";
    forgetting_on_restart: ForgetsOnRestart is caught by [survives_restarts_of_the_broker] saying "in vain";
}
