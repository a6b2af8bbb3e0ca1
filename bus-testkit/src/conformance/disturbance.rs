//! Ten thousand events while members come and go, or the broker.

use std::collections::BTreeSet;
use std::sync::Arc;

use jitney_core::transport::{Published, Transport};

use super::crew::Crew;
use super::failure::Outcome;
use super::trial::Trial;
use crate::history::EventRef;

pub(super) async fn loses_nothing_while_members_come_and_go(trial: &Trial<'_>) -> Outcome {
    disturbed(trial, Disturbance::Members).await
}

pub(super) async fn survives_restarts_of_the_broker(trial: &Trial<'_>) -> Outcome {
    disturbed(trial, Disturbance::Restarts).await
}

#[derive(Clone, Copy, PartialEq)]
enum Disturbance {
    /// Each half thousand of events a member joins, leaves or vanishes.
    Members,
    /// The broker is restarted at one third and at one half.
    Restarts,
}

async fn disturbed(trial: &Trial<'_>, disturbance: Disturbance) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let group = trial.name("group");
    let mut members = Vec::new();
    for _ in 0..3 {
        members.push(trial.join(&transport, &group, &[&topic]).await?);
    }
    let mut crew = Crew::new(members);
    let events = trial.events(&topic, 64, 10_000);
    let mut settled = BTreeSet::new();
    let mut acked = 0;
    for (round, chunk) in events.chunks(500).enumerate() {
        let outcomes = trial.try_publish(&*transport, chunk).await?;
        acked += outcomes.into_iter().filter(is_acked).count();
        // Some stay behind, so that each disturbance finds deliveries under way.
        while settled.len() + 100 < acked {
            let (place, got) = crew.take(trial).await?;
            crew.members[place].ack_all(&got).await?;
            settled.extend(got.into_iter().map(|got| got.event));
        }
        match disturbance {
            Disturbance::Members => {
                come_and_go(trial, &mut crew, &transport, (&group, &topic), &mut settled).await?;
            }
            Disturbance::Restarts if round == 6 || round == 9 => {
                trial.recorder.fault("the broker is restarted");
                trial.fixture.restart().await?;
            }
            Disturbance::Restarts => {}
        }
    }
    drain(trial, &mut crew, &mut settled, acked).await?;
    for member in crew.members {
        member.leave().await?;
    }
    trial.judge(&trial.expectations())?;
    Ok(())
}

fn is_acked(outcome: &Published) -> bool {
    matches!(outcome, Published::Acked)
}

async fn come_and_go(
    trial: &Trial<'_>,
    crew: &mut Crew,
    transport: &Arc<dyn Transport>,
    (group, topic): (&str, &str),
    settled: &mut BTreeSet<EventRef>,
) -> Outcome {
    let joins = crew.members.len() < 2 || (crew.members.len() < 6 && trial.random(2) == 0);
    if joins {
        crew.members.push(trial.join(transport, group, &[topic]).await?);
        return Ok(());
    }
    // Whoever goes may hold deliveries that it has not settled: they must reach another.
    let (place, unsettled) = crew.take(trial).await?;
    let member = crew.members.swap_remove(place);
    if trial.random(2) == 0 {
        let half = &unsettled[..unsettled.len() / 2];
        member.ack_all(half).await?;
        settled.extend(half.iter().map(|got| got.event.clone()));
        member.leave().await
    } else {
        member.vanish();
        Ok(())
    }
}

/// Settles until every acked event has been, counted by what was acked and not by what came.
async fn drain(
    trial: &Trial<'_>,
    crew: &mut Crew,
    settled: &mut BTreeSet<EventRef>,
    acked: usize,
) -> Outcome {
    while settled.len() < acked {
        let (place, got) = crew.take(trial).await?;
        crew.members[place].ack_all(&got).await?;
        settled.extend(got.into_iter().map(|got| got.event));
    }
    // Late duplicates, and what was acked above but whose settlement came too late.
    while let Some((place, got)) = crew.take_within(&trial.env, trial.quiet()).await? {
        crew.members[place].ack_all(&got).await?;
    }
    Ok(())
}
