//! The list of all checks: name, what it needs, what it promises.

use futures_util::future::LocalBoxFuture;

use super::failure::Outcome;
use super::trial::Trial;
use super::{demand, disturbance, fidelity, groups, publish, replay, secrets, settling, transactions};

/// One check.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) promise: &'static str,
    pub(super) needs: Need,
    pub(super) run: for<'t> fn(&'t Trial<'t>) -> LocalBoxFuture<'t, Outcome>,
}

/// What a check needs of a backend or its fixture.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    Nothing,
    Ordered,
    Replayable,
    Transactional,
    DelayedRetry,
    Lag,
    Broadcast,
    Backlog,
    CountsDeliveries,
    MessageLimit,
    MaxBatch,
    SettleWithin,
    AnyBytes,
    Restarts,
    Secret,
}

impl Need {
    /// Why a check with this need is skipped, if it is.
    pub(super) fn missing(self, trial: &Trial<'_>) -> Option<&'static str> {
        let capabilities = &trial.capabilities;
        let (there, reason) = match self {
            Need::Nothing => return None,
            Need::Ordered => (capabilities.ordered, "the backend keeps no order per key"),
            Need::Replayable => (capabilities.replayable, "the backend cannot go back"),
            Need::Transactional => (capabilities.transactional, "the backend has no transactions"),
            Need::DelayedRetry => (capabilities.delayed_retry, "the backend cannot hold a retry back"),
            Need::Lag => (capabilities.lag, "the backend does not know the lag"),
            Need::Broadcast => (capabilities.broadcast, "the backend cannot broadcast"),
            Need::Backlog => (capabilities.backlog, "the backend keeps nothing for groups to come"),
            Need::CountsDeliveries => (capabilities.counts_deliveries, "the backend counts no deliveries"),
            Need::MaxBatch => (capabilities.max_batch.is_some(), "deliveries may come in any number"),
            Need::MessageLimit => (capabilities.max_message_bytes.is_some(), "messages have no limit"),
            Need::SettleWithin => (capabilities.settle_within.is_some(), "deliveries have no time limit"),
            Need::AnyBytes => {
                (trial.fixture.carries_any_bytes(), "the backend carries its codec's bytes only")
            }
            Need::Restarts => (trial.fixture.can_restart(), "the fixture cannot restart the broker"),
            Need::Secret => (trial.fixture.secret().is_some(), "the fixture has no password"),
        };
        (!there).then_some(reason)
    }

    /// The capability that such a check proves, as [`Capabilities`](jitney_core::Capabilities) names it.
    pub(super) fn capability(self) -> Option<&'static str> {
        match self {
            Need::Nothing | Need::AnyBytes | Need::Secret => None,
            Need::Ordered => Some("ordered"),
            Need::Replayable => Some("replayable"),
            Need::Transactional => Some("transactional"),
            Need::DelayedRetry => Some("delayed_retry"),
            Need::Lag => Some("lag"),
            Need::Broadcast => Some("broadcast"),
            Need::Backlog => Some("backlog"),
            Need::CountsDeliveries => Some("counts_deliveries"),
            Need::MessageLimit => Some("max_message_bytes"),
            Need::MaxBatch => Some("max_batch"),
            Need::SettleWithin => Some("settle_within"),
            Need::Restarts => Some("durable"),
        }
    }
}

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
    publish::delivers_what_was_published, Nothing, "100 events reach a group";
    publish::delivers_10_000_events, Nothing, "10,000 events reach a group";
    publish::delivers_from_20_topics, Nothing, "a group reads 20 topics";
    publish::keeps_order_per_key, Ordered, "events of 16 keys come in their order";
    publish::answers_each_event_in_order, Nothing, "a batch is answered event by event, in its order";
    publish::rejects_what_is_too_large, MessageLimit, "what is too large is rejected";
    publish::loses_nothing_published_before_close, Nothing, "10,000 publishes at once outlive close";
    publish::close_sends_what_is_buffered, Nothing, "what is acked while closing arrives";
    publish::publish_after_close_is_an_error, Nothing, "publishing after close is an error";
    publish::closes_once_for_all, Nothing, "close may be called at once and again";
    publish::dropped_publishes_harm_no_others, Nothing, "dropping a publish loses nothing that was acked";
    groups::shares_5_000_events_among_50_members, Nothing, "50 members settle each event once";
    groups::keeps_topics_apart, Nothing, "a group gets only the topics that it reads";
    groups::gives_every_group_everything, Nothing, "each group gets each event";
    groups::broadcasts_to_every_member, Broadcast, "in broadcast mode each member gets each event";
    groups::new_group_gets_the_backlog, Backlog, "a new group gets what was published before";
    groups::latest_begins_with_the_next, Nothing, "a group that starts at the latest gets nothing older";
    groups::ensured_group_gets_what_came_before_it_joined, Nothing, "what is published waits for a group that was made";
    groups::deleted_group_begins_anew, Nothing, "a group that was deleted begins as if it had never been";
    demand::gives_nothing_without_demand, Nothing, "without demand nothing is delivered";
    demand::gives_no_more_than_demanded, Nothing, "no more is delivered than demanded";
    demand::keeps_to_its_batches, MaxBatch, "no more comes at once than the backend says";
    demand::keeps_to_the_prefetch, Nothing, "no more is unsettled than the prefetch";
    demand::cancelled_polls_lose_nothing, Nothing, "a reader that turns away loses nothing";
    settling::settled_does_not_come_again, Nothing, "what was acked does not come again";
    settling::retry_comes_again, Nothing, "what is to be retried comes again";
    settling::counts_deliveries, CountsDeliveries, "each delivery of an event knows how many there were";
    settling::retry_waits_for_its_delay, DelayedRetry, "a retry does not come before its delay";
    settling::unsettled_goes_to_another_member, Nothing, "what a dropped member held goes to another";
    settling::leaving_gives_back_what_is_unsettled, Nothing, "what a member held comes again after it left";
    settling::continues_after_close, Nothing, "a group goes on where it was when its transport closed";
    settling::unsettled_does_not_block_the_next, Nothing, "the next event comes before the last is settled";
    settling::settles_out_of_order, Nothing, "settling in any order loses nothing";
    settling::ignores_an_old_epoch, Nothing, "settling under an old epoch has no effect";
    settling::ignores_a_second_settlement, Nothing, "settling twice has no effect";
    settling::keep_alive_holds_a_delivery, SettleWithin, "a delivery that is kept alive stays";
    settling::takes_back_what_is_held_too_long, SettleWithin, "a delivery that is not settled in time comes again";
    settling::stores_dead_letters_whole, Nothing, "a dead letter is stored whole and is done";
    transactions::publishes_all_or_nothing, Transactional, "a batch that is published as one arrives whole or not at all";
    transactions::stores_outputs_with_settlements, Transactional, "outputs come with the settlement of their cause, once";
    transactions::outputs_wait_for_what_came_earlier, Transactional, "outputs wait until everything earlier is settled";
    replay::replays_from_the_earliest, Replayable, "a group can go back to the beginning";
    replay::replays_from_a_position, Replayable, "a group can go back to a position";
    replay::replays_from_a_time, Replayable, "a group can go back to a time";
    replay::lag_grows_and_shrinks, Lag, "the lag is the number of unsettled events";
    fidelity::carries_messages_whole, Nothing, "headers, key, time and body arrive as they were";
    fidelity::carries_any_bytes, AnyBytes, "bodies, keys and headers may be any bytes";
    fidelity::carries_large_messages, Nothing, "messages up to the limit arrive whole";
    disturbance::loses_nothing_while_members_come_and_go, Nothing, "10,000 events survive members that come and go";
    disturbance::survives_restarts_of_the_broker, Restarts, "10,000 events survive two restarts of the broker";
    secrets::keeps_credentials_to_itself, Secret, "no description, debug output or error holds the password";
}
