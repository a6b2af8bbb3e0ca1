//! Going back, and knowing how far behind.

use std::sync::Arc;
use std::time::Duration;

use jitney_core::ErrorKind;
use jitney_core::admin::Admin;
use jitney_core::transport::{PartitionPosition, Start, Transport};

use super::failure::{Failure, Outcome, ensure};
use super::member::{Got, Member};
use super::trial::Trial;

fn admin(transport: &dyn Transport) -> Outcome<&dyn Admin> {
    transport
        .admin()
        .ok_or_else(|| Failure("the transport has no admin, which its capabilities need".to_owned()))
}

/// A group that has settled 20 events of one key, and has no member any more.
struct Past {
    transport: Arc<dyn Transport>,
    topic: String,
    group: String,
    got: Vec<Got>,
}

impl Past {
    async fn new(trial: &Trial<'_>) -> Outcome<Past> {
        let transport = trial.transport().await?;
        let topic = trial.topic(&*transport).await?;
        let group = trial.name("group");
        let mut member = trial.join(&transport, &group, &[&topic]).await?;
        let mut got = Vec::new();
        for events in trial.events(&topic, 1, 20).chunks(10) {
            trial.publish(&*transport, events).await?;
            got.extend(member.receive(10).await?);
            // The second half is to have a later time.
            let last = trial.env.now();
            while trial.env.now() == last {
                trial.env.sleep(Duration::from_millis(1)).await;
            }
        }
        got.sort_by_key(|got| got.event.sequence);
        member.ack_all(&got).await?;
        member.leave().await?;
        Ok(Past { transport, topic, group, got })
    }

    /// Sends the group to `start`, where events from `first` on must come, and starts a new group there.
    async fn replays(&self, trial: &Trial<'_>, start: Start, first: u64) -> Outcome {
        trial.recorder.rewound(&self.group);
        match trial.wait("a seek", admin(&*self.transport)?.seek(&self.group, start.clone())).await? {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                trial.skip("the backend goes back by other means");
                return Ok(());
            }
            sought => sought?,
        }
        let mut groups = vec![self.group.clone()];
        if start != Start::Earliest || trial.capabilities.backlog {
            groups.push(trial.name("group"));
        }
        for group in groups {
            let mut subscription = trial.subscription(&group, &[&self.topic]);
            subscription.start = start.clone();
            let mut member = Member::join(trial, &self.transport, subscription).await?;
            let count = usize::try_from(21 - first).unwrap_or(0);
            let mut order: Vec<_> = member.consume(count).await?.iter().map(|event| event.sequence).collect();
            if !trial.capabilities.ordered {
                order.sort_unstable();
            }
            let wanted: Vec<_> = (first..=20).collect();
            trial.observe("replayed", format!("{order:?}"));
            ensure!(order == wanted, "beginning with {start:?}, group {group} got {order:?}, not {wanted:?}");
            member.nothing(trial.quiet(), "the replay is at its end").await?;
            member.leave().await?;
        }
        Ok(())
    }
}

pub(super) async fn replays_from_the_earliest(trial: &Trial<'_>) -> Outcome {
    Past::new(trial).await?.replays(trial, Start::Earliest, 1).await
}

pub(super) async fn replays_from_a_position(trial: &Trial<'_>) -> Outcome {
    let past = Past::new(trial).await?;
    let Some(place) = PartitionPosition::of(&past.got[10].delivery) else {
        trial.skip("deliveries have no position");
        return Ok(());
    };
    past.replays(trial, Start::Positions(vec![place]), 11).await
}

pub(super) async fn replays_from_a_time(trial: &Trial<'_>) -> Outcome {
    let past = Past::new(trial).await?;
    past.replays(trial, Start::Time(past.got[10].delivery.message.time), 11).await
}

pub(super) async fn lag_grows_and_shrinks(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let group = trial.name("group");
    let mut member = trial.join(&transport, &group, &[&topic]).await?;
    // One key: so that what is settled first is first in its partition.
    trial.publish(&*transport, &trial.events(&topic, 1, 30)).await?;
    let mut got = member.receive(30).await?;
    got.sort_by_key(|got| got.event.sequence);
    wait_for_lag(trial, &*transport, &group, 30).await?;
    member.ack_all(&got[..10]).await?;
    wait_for_lag(trial, &*transport, &group, 20).await?;
    member.ack_all(&got[10..]).await?;
    wait_for_lag(trial, &*transport, &group, 0).await?;
    member.leave().await
}

/// Asks again and again: a broker may need a moment to know.
async fn wait_for_lag(trial: &Trial<'_>, transport: &dyn Transport, group: &str, wanted: u64) -> Outcome {
    let admin = admin(transport)?;
    let deadline = trial.env.instant() + trial.fixture.patience();
    loop {
        let lags = trial.wait("the lag", admin.lag(group)).await??;
        let lag: u64 = lags.iter().map(|lag| lag.events).sum();
        if lag == wanted {
            return Ok(());
        }
        ensure!(trial.env.instant() < deadline, "{wanted} events are unsettled, and the lag stays at {lag}");
        trial.env.sleep(trial.quiet() / 10).await;
    }
}
