//! The list of all checks: name, what it needs, what it promises.

use futures_util::future::LocalBoxFuture;
use jitney_sourcing::StreamsPerAppend;

use super::fixture::Disturbance;
use super::trial::Trial;
use super::{
    appends, batches, commands, correlations, durability, fidelity, global_reads, killed_writers, model,
    personal, races, reads, rehydration, secrets, snapshots, streams, upcasts,
};
use crate::conformance::failure::Outcome;

/// One check.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) promise: &'static str,
    pub(super) needs: Need,
    pub(super) run: for<'t> fn(&'t Trial<'t>) -> LocalBoxFuture<'t, Outcome>,
}

/// What a check needs of a store or its fixture.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    Nothing,
    OneOrder,
    SeveralStreams,
    Limits,
    Snapshots,
    Correlations,
    Durable,
    DurableSnapshots,
    Sealing,
    SealedSnapshots,
    AnyType,
    Restarts,
    Kills,
    Writer,
    Secret,
}

impl Need {
    /// Why a check with this need is skipped, if it is.
    pub(super) fn missing(self, trial: &Trial<'_>) -> Option<&'static str> {
        let (capabilities, fixture) = (&trial.capabilities, trial.fixture);
        let streams = capabilities.streams_per_append;
        let (there, reason) = match self {
            Need::Nothing => return None,
            Need::OneOrder => (capabilities.one_order, "the store has an order in each of its parts alone"),
            Need::SeveralStreams => (streams != StreamsPerAppend::One, "an append is for one stream"),
            Need::Limits => (streams != StreamsPerAppend::Any, "an append may be for any streams"),
            Need::Snapshots => (capabilities.snapshots, "the store keeps no snapshots"),
            Need::Correlations => (capabilities.correlations, "the store has no index of correlation ids"),
            Need::Durable => (capabilities.durable, "the store keeps nothing over a crash"),
            Need::DurableSnapshots => {
                (capabilities.durable && capabilities.snapshots, "the store keeps no snapshots over a crash")
            }
            Need::Sealing => (fixture.seals(), SEALS_NOTHING),
            Need::SealedSnapshots => {
                (fixture.seals() && capabilities.snapshots, "the store seals nothing, or keeps no snapshots")
            }
            Need::AnyType => (fixture.takes_any_aggregate_type(), "aggregate types must be plain"),
            Need::Restarts => (fixture.can_disturb(Disturbance::Restart), "the fixture restarts no server"),
            Need::Kills => (fixture.can_disturb(Disturbance::Kill), "the fixture kills no server"),
            Need::Writer => (fixture.writer().is_some(), "the fixture has no writer to kill"),
            Need::Secret => (fixture.secret().is_some(), "the fixture has no password"),
        };
        (!there).then_some(reason)
    }

    /// The capability that such a check proves, as [`StoreCapabilities`](jitney_sourcing::StoreCapabilities) names it.
    pub(super) fn capability(self) -> Option<&'static str> {
        match self {
            Need::Nothing | Need::Sealing | Need::AnyType | Need::Secret => None,
            Need::OneOrder => Some("one_order"),
            Need::SeveralStreams | Need::Limits => Some("streams_per_append"),
            Need::Snapshots | Need::SealedSnapshots | Need::DurableSnapshots => Some("snapshots"),
            Need::Correlations => Some("correlations"),
            Need::Durable | Need::Restarts | Need::Kills | Need::Writer => Some("durable"),
        }
    }
}

const SEALS_NOTHING: &str = "the fixture opens no store that seals";

macro_rules! checks {
    ($($module:ident::$name:ident, $need:ident, $promise:literal;)*) => {
        pub(super) const CHECKS: &[Check] = &[$(Check {
            name: stringify!($name),
            promise: $promise,
            needs: Need::$need,
            run: |trial| Box::pin($module::$name(trial)),
        }),*];
    };
}

checks! {
    appends::numbers_events_from_1, Nothing, "the events of a stream are numbered from 1, without gaps";
    appends::answers_where_events_went, Nothing, "an append is answered with the sequences of its events";
    appends::takes_new_streams_alone, Nothing, "an append to a new stream is taken when it has no events";
    appends::takes_exact_sequences_alone, Nothing, "an append behind a sequence is taken when that is the last one";
    appends::takes_existing_streams_alone, Nothing, "an append to a stream that exists is taken when it has events";
    appends::takes_any_stream, Nothing, "an append to any stream is taken wherever it is";
    appends::conflicts_name_both_sequences, Nothing, "a conflict says what was expected and what is";
    appends::recognizes_duplicates, Nothing, "an event of a known id is a duplicate, wherever the stream is";
    appends::knows_ids_by_stream, Nothing, "another stream may have an event of the same id";
    appends::stores_all_events_or_none, Nothing, "of an append with a duplicate nothing is stored";
    appends::refuses_what_makes_no_sense, Nothing, "appends without events, or to names that cannot be kept, are refused";
    batches::appends_to_several_streams, SeveralStreams, "one append may be for several streams";
    batches::stores_all_streams_or_none, SeveralStreams, "of an append of which one stream is refused, nothing is stored";
    batches::refuses_streams_that_do_not_go_together, Limits, "an append to streams that do not go together is refused";
    fidelity::keeps_odd_aggregate_ids_apart, Nothing, "aggregate ids may be any text of up to 512 bytes, each its own stream";
    fidelity::keeps_odd_aggregate_types_apart, AnyType, "aggregate types may be any text of up to 512 bytes";
    fidelity::keeps_payloads_byte_by_byte, Nothing, "the JSON text of a payload comes back byte by byte";
    fidelity::keeps_large_payloads, Nothing, "payloads of 200 KB come back whole";
    fidelity::keeps_large_batches, Nothing, "5,000 events are appended as one";
    fidelity::keeps_ids_types_and_versions, Nothing, "event ids, event types and versions come back as they were";
    fidelity::keeps_metadata, Nothing, "metadata comes back as it was";
    fidelity::keeps_times_to_the_millisecond, Nothing, "times come back as they were, to the millisecond";
    reads::reads_streams_forward, Nothing, "a stream is read forward, from any sequence, up to a limit";
    reads::reads_streams_backward, Nothing, "a stream is read backward, from any sequence, up to a limit";
    reads::finds_nothing_in_missing_streams, Nothing, "a stream without events has nothing to read";
    reads::finds_events_by_id, Nothing, "an event is found by its id, in its stream";
    global_reads::reads_everything_once, Nothing, "a reader of all events gets each once, those of a stream in order";
    global_reads::reads_on_behind_each_event, OneOrder, "a reader that begins behind an event gets all later ones";
    global_reads::reads_on_behind_each_page, Nothing, "pages of one event follow each other without gap";
    global_reads::filters_by_types, Nothing, "a filter lets events through by aggregate type and event type";
    global_reads::passes_over_what_is_filtered_out, Nothing, "a page goes on past events that the filter is not for";
    global_reads::says_when_it_is_at_the_end, Nothing, "a page says whether more can be read";
    global_reads::end_covers_what_was_stored, Nothing, "who has reached the end has seen all that was stored before";
    global_reads::positions_survive_as_text, Nothing, "a position that was written as text leads to the same place";
    global_reads::refuses_positions_of_other_stores, Nothing, "a position of another kind of store is refused";
    global_reads::wakes_when_something_is_stored, Nothing, "who waits hears of an append through another handle";
    global_reads::waits_no_longer_than_asked, Nothing, "a wait ends in time when nothing comes";
    correlations::finds_the_end_of_a_correlation, Correlations, "the last event of a correlation id is found, whatever the id, and no other's";
    streams::tells_about_streams, Nothing, "the store knows of each stream its last event, that one's time, and its state";
    streams::lists_streams_by_their_bytes, Nothing, "the streams of a type are listed by their ids, in pages";
    streams::lists_streams_by_state, Nothing, "streams are listed by their state";
    streams::archived_streams_take_nothing, Nothing, "an archived stream takes nothing until it is restored";
    streams::archives_what_can_be_archived, Nothing, "what has no events or was ended is neither archived nor restored";
    streams::global_reads_pass_over_archived_streams, Nothing, "archived streams are passed over when asked for, and read with all events otherwise";
    streams::ended_streams_take_nothing, Nothing, "a stream that was ended takes nothing, and can be read";
    streams::ends_streams_where_expected, Nothing, "a stream is ended where it is expected, once and for all";
    snapshots::keeps_the_newest_snapshot, Snapshots, "of each stream the snapshot that was saved last is kept";
    snapshots::forgets_deleted_snapshots, Snapshots, "a snapshot that was deleted is gone";
    snapshots::returns_snapshots_as_they_are_found, Snapshots, "a snapshot comes back as it was saved, whatever is wrong with it";
    rehydration::loads_from_snapshots, Snapshots, "a repository begins with the snapshot and goes on with the events";
    rehydration::passes_over_wrong_snapshots, Snapshots, "a snapshot that is wrong changes no state, and is warned of";
    personal::refuses_personal_data_that_nothing_seals, Nothing, "an event with personal data is refused, unless the store was given what seals it";
    personal::stores_personal_data_sealed, Sealing, "personal data is sealed where it is stored, and opened where it is read";
    personal::opens_personal_data_in_its_place_alone, Sealing, "what was sealed for one event opens in no other, which can be read beside the rest";
    personal::stores_and_reads_nothing_without_keys, Sealing, "while no key is to be had, personal data is neither stored nor read, and the rest is";
    personal::keeps_snapshots_sealed, SealedSnapshots, "personal data is sealed in snapshots, and those of a subject are forgotten";
    upcasts::reads_old_versions, Nothing, "an event of an old version is read as the new type";
    upcasts::names_what_it_cannot_read, Nothing, "what cannot be read is named, and is there untouched";
    races::one_writer_wins_each_sequence, Nothing, "of writers that expect the same sequence, one succeeds";
    races::stores_an_event_once, Nothing, "of writers that append the same event, one succeeds";
    races::followers_miss_nothing, Nothing, "a reader that follows many writers gets each event once, those of a stream in order";
    commands::handles_a_command_once, Nothing, "commands of one id are handled once, whoever gives them";
    commands::loses_no_command, Nothing, "commands of many writers are all handled";
    model::behaves_like_its_model, Nothing, "whatever is done in whatever order, the store answers like a simple one";
    durability::keeps_everything_over_reopening, Durable, "events, states and positions outlive the handle";
    durability::keeps_snapshots_over_reopening, DurableSnapshots, "snapshots outlive the handle";
    durability::survives_restarts_of_the_server, Restarts, "what was acknowledged outlives restarts of the server in mid-append";
    durability::survives_kills_of_the_server, Kills, "what was acknowledged outlives a server that is killed in mid-append";
    killed_writers::survives_writers_that_are_killed, Writer, "what was acknowledged to a process outlives it, and the rest is whole or not there";
    secrets::keeps_credentials_to_itself, Secret, "no description, debug output or error holds the password";
}
