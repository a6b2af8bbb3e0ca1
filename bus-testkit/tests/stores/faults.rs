//! For each fault: the suite fails, and the check that fails is the one that names it.

use std::collections::BTreeSet;

use jitney_testkit::conformance::Verdict;
use jitney_testkit::stores;

use super::broken::Fault;
use super::report;

macro_rules! faults {
    ($($test:ident: $fault:ident is caught by [$($check:ident)+] saying $words:literal;)*) => {
        $(#[test]
        fn $test() {
            $({
                let report = report(stringify!($check), Fault::$fault);
                assert_eq!(report.failed(), [stringify!($check)], "{report}");
                let Verdict::Failed(reason) = &report.checks[0].verdict else { panic!("{report}") };
                assert!(reason.contains($words), "{reason}");
            })+
        })*

        #[test]
        fn every_check_catches_a_fault() {
            let mut catching = BTreeSet::from([$($(stringify!($check)),+),*]);
            // The faults of `killed.rs`.
            catching.insert("survives_writers_that_are_killed");
            let checks: BTreeSet<_> = stores::check_names().collect();
            assert_eq!(catching, checks);
        }
    };
}

faults! {
    numbering_from_zero: NumbersFromZero is caught by [numbers_events_from_1] saying "says that it is number Some(0)";
    answering_other_sequences: AnswersOtherSequences is caught by [answers_where_events_went] saying "were answered as (0, 1)";
    answering_earlier_positions: AnswersEarlierPositions is caught by [answers_where_events_went] saying "a reader at the position of an append has seen";
    ignoring_new: IgnoresNew is caught by [takes_new_streams_alone] saying "expected a new stream at event 2 was taken";
    taking_exact_as_at_least: TakesExactAsAtLeast is caught by [takes_exact_sequences_alone] saying "at event 2 was taken";
    ignoring_exists: IgnoresExists is caught by [takes_existing_streams_alone] saying "expected a stream with events without events was taken";
    taking_any_as_exists: TakesAnyAsExists is caught by [takes_any_stream] saying "was refused";
    misstating_conflicts: MisstatesConflicts is caught by [conflicts_name_both_sequences] saying "the conflict says";
    checking_expectations_first: ChecksExpectationsFirst is caught by [recognizes_duplicates] saying "was refused as Conflict and not as Duplicate";
    answering_duplicates_as_stored: AnswersDuplicatesAsStored is caught by [recognizes_duplicates] saying "expecting event 3 to be its last, was taken";
    racing_duplicates_as_stored: AnswersDuplicatesAsStored is caught by [stores_an_event_once] saying "were told to have stored it";
    knowing_ids_in_all_streams: KnowsIdsInAllStreams is caught by [knows_ids_by_stream] saying "of kind Duplicate";
    storing_event_by_event: StoresEventByEvent is caught by [stores_all_events_or_none] saying "has 5 events, and 2 were appended";
    taking_nonsense: TakesNonsense is caught by [refuses_what_makes_no_sense] saying "an append without events was taken";
    storing_stream_by_stream: StoresStreamByStream is caught by [stores_all_streams_or_none] saying "has 3 events instead of 1";
    answering_parts_in_reverse: AnswersPartsInReverse is caught by [appends_to_several_streams] saying "and the answer is";
    taking_what_does_not_go_together: TakesWhatDoesNotGoTogether is caught by [refuses_streams_that_do_not_go_together] saying "were all taken";
    folding_ids: FoldsIds is caught by [keeps_odd_aggregate_ids_apart] saying "expected a new stream, but its last event is";
    truncating_ids: TruncatesIds is caught by [keeps_odd_aggregate_ids_apart] saying "is of StreamId";
    folding_types: FoldsTypes is caught by [keeps_odd_aggregate_types_apart] saying "is of StreamId";
    rewriting_payloads: RewritesPayloads is caught by [keeps_payloads_byte_by_byte] saying "came back as";
    truncating_payloads: TruncatesPayloads is caught by [keeps_large_payloads] saying "came back as 65536 bytes";
    truncating_batches: TruncatesBatches is caught by [keeps_large_batches] saying "has 1000 events, and 5000 were appended";
    dropping_minor_versions: DropsMinorVersions is caught by [keeps_ids_types_and_versions] saying "`opened` 2.1 was appended";
    folding_event_ids: FoldsEventIds is caught by [keeps_ids_types_and_versions] saying "two of its events have the id";
    dropping_pairs: DropsPairs is caught by [keeps_metadata] saying "the metadata";
    dropping_traces: DropsTraces is caught by [keeps_metadata] saying "the metadata";
    keeping_seconds: KeepsSeconds is caught by [keeps_times_to_the_millisecond] saying "is of 1970-01-01T00:00:00Z";
    beginning_behind_from: BeginsBehindFrom is caught by [reads_streams_forward] saying "gave events [5, 6, 7, 8, 9, 10]";
    reading_forward_only: ReadsForwardOnly is caught by [reads_streams_backward] saying "gave events";
    finding_similar_streams: FindsSimilarStreams is caught by [finds_nothing_in_missing_streams] saying "has no events, and a read gave some";
    finding_in_all_streams: FindsInAllStreams is caught by [finds_events_by_id] saying "and one is found";
    missing_each_second: MissesEachSecondEvent is caught by [reads_everything_once] saying "of the 7 events of stream";
    repeating_between_pages: RepeatsBetweenPages is caught by [reads_everything_once] saying "was read behind event";
    skipping_between_pages: SkipsBetweenPages is caught by [reads_on_behind_each_page] saying "of the 7 events of stream";
    misplacing_events: MisplacesEvents is caught by [reads_on_behind_each_event] saying "events are read where there are";
    ignoring_event_types: IgnoresEventTypes is caught by [filters_by_types] saying "a filter for one event type let through";
    staying_before_what_is_filtered_out: StaysBeforeWhatIsFilteredOut is caught by [passes_over_what_is_filtered_out] saying "in vain for a reader of all events to reach";
    always_at_the_end: IsAlwaysAtTheEnd is caught by [says_when_it_is_at_the_end] saying "says that it is at the end";
    never_at_the_end: IsNeverAtTheEnd is caught by [says_when_it_is_at_the_end] saying "in vain for a page that is at the end";
    ending_too_early: EndsTooEarly is caught by [end_covers_what_was_stored] saying "of the 2 events of stream";
    forgetting_positions: ForgetsPositionsOnceUsed is caught by [positions_survive_as_text] saying "gives something else than before";
    taking_foreign_positions: TakesForeignPositions is caught by [refuses_positions_of_other_stores] saying "which is no position of this store";
    never_waking: NeverWakes is caught by [wakes_when_something_is_stored] saying "in vain for a waiting reader";
    hearing_only_what_is_new: HearsOnlyWhatIsNew is caught by [wakes_when_something_is_stored] saying "stored already";
    waiting_for_ever: WaitsForEver is caught by [waits_no_longer_than_asked] saying "in vain for a wait of 20 ms";
    passing_over_slow_commits: PassesOverSlowCommits is caught by [followers_miss_nothing] saying "events of stream";
    confusing_long_correlations: ConfusesLongCorrelations is caught by [finds_the_end_of_a_correlation] saying "with an odd id ends at";
    forgetting_what_begins_a_correlation: ForgetsWhatBeginsACorrelation is caught by [finds_the_end_of_a_correlation] saying "of the event that begins it ends at";
    ending_correlations_at_the_end: EndsCorrelationsAtTheEnd is caught by [finds_the_end_of_a_correlation] saying "behind which there are others ends at";
    keeping_the_first_time: KeepsTheFirstTime is caught by [tells_about_streams] saying "the store knows of a stream";
    listing_by_language: ListsByLanguage is caught by [lists_streams_by_their_bytes] saying "were listed, and are";
    listing_in_any_state: ListsInAnyState is caught by [lists_streams_by_state] saying "and not 1 4 6";
    taking_events_when_archived: TakesEventsWhenArchived is caught by [archived_streams_take_nothing] saying "was taken";
    forgetting_when_closed: ForgetsEventsWhenClosed is caught by [archived_streams_take_nothing ended_streams_take_nothing] saying "has 0 events, and 3 were appended";
    archiving_what_was_ended: ArchivesWhatWasEnded is caught by [archives_what_can_be_archived] saying "was done";
    reading_archived: ReadsArchived is caught by [global_reads_pass_over_archived_streams] saying "by a filter without such";
    hiding_archived: HidesArchived is caught by [global_reads_pass_over_archived_streams] saying "0 of the 4 events";
    ending_nothing: EndsNothing is caught by [ended_streams_take_nothing] saying "is Ended, and the store says Open";
    ending_anywhere: EndsAnywhere is caught by [ends_streams_where_expected] saying "was done";
    keeping_the_highest_snapshot: KeepsTheHighestSnapshot is caught by [keeps_the_newest_snapshot] saying "and was found as";
    keeping_deleted_snapshots: KeepsDeletedSnapshots is caught by [forgets_deleted_snapshots] saying "was None, and was found as Some";
    dropping_damaged_snapshots: DropsDamagedSnapshots is caught by [returns_snapshots_as_they_are_found] saying "and was found as None";
    losing_snapshots: LosesSnapshots is caught by [loads_from_snapshots] saying "the store has none";
    repairing_snapshots: RepairsSnapshots is caught by [passes_over_wrong_snapshots] saying "with a snapshot that is damaged, a counter at 10 behind event 5 is loaded at 1003";
    taking_open_personal_data: TakesOpenPersonalData is caught by [refuses_personal_data_that_nothing_seals] saying "was taken";
    storing_personal_data_open: StoresPersonalDataOpen is caught by [stores_personal_data_sealed] saying "is stored as";
    leaving_personal_data_sealed: LeavesPersonalDataSealed is caught by [stores_personal_data_sealed] saying "was not opened";
    dropping_what_cannot_be_opened: DropsWhatItCannotOpen is caught by [opens_personal_data_in_its_place_alone] saying "1 are read";
    reading_on_without_keys: ReadsOnWithoutKeys is caught by [stores_and_reads_nothing_without_keys] saying "without keys, events are read";
    keeping_snapshots_of_a_subject: KeepsSnapshotsOfASubject is caught by [keeps_snapshots_sealed] saying "whether its snapshot is there";
    forgetting_versions: ForgetsVersions is caught by [reads_old_versions] saying "events of old versions are not read";
    dropping_what_is_too_new: DropsWhatIsTooNew is caught by [names_what_it_cannot_read] saying "4 events were appended, and 3 are read";
    checking_then_appending: ChecksThenAppends is caught by [one_writer_wins_each_sequence] saying "of 8 writers that expected the stream at";
    giving_ids_of_its_own: GivesIdsOfItsOwn is caught by [handles_a_command_once] saying "commands";
    answering_conflicts_as_stored: AnswersConflictsAsStored is caught by [loses_no_command] saying "and the counter is at";
    losing_snapshots_on_restore: LosesSnapshotsOnRestore is caught by [behaves_like_its_model] saying "with the steps:";
    restoring_on_reopening: RestoresOnReopening is caught by [keeps_everything_over_reopening] saying "after reopening";
    losing_snapshots_on_reopening: LosesSnapshotsOnReopening is caught by [keeps_snapshots_over_reopening] saying "is None after reopening";
    acknowledging_while_shaken: AcknowledgesWhileShaken is caught by [survives_restarts_of_the_server] saying "events acknowledged, was refused";
    storing_again_after_unknown: StoresAgainAfterUnknown is caught by [survives_kills_of_the_server] saying "events acknowledged, was refused";
    leaking_the_password: LeaksThePassword is caught by [keeps_credentials_to_itself] saying "describe() contains the password";
    leaking_the_password_in_errors: LeaksThePasswordInErrors is caught by [keeps_credentials_to_itself] saying "the error of an append contains the password";
}
