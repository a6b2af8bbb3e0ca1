//! Who gets which event: members of a group share, groups do not.

use std::collections::BTreeSet;

use futures_util::future::join;
use jitney_core::transport::{Mode, Start, Transport};

use super::crew::Crew;
use super::failure::{Failure, Outcome, ensure};
use super::member::Member;
use super::trial::Trial;
use crate::history::EventRef;

pub(super) async fn shares_5_000_events_among_50_members(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let group = trial.name("group");
    let mut members = Vec::new();
    for _ in 0..50 {
        members.push(trial.join(&transport, &group, &[&topic]).await?);
    }
    let mut crew = Crew::new(members);
    let events = trial.events(&topic, 500, 5_000);
    let consume = async {
        let mut seen = BTreeSet::new();
        while seen.len() < events.len() {
            let (place, got) = crew.take(trial).await?;
            crew.members[place].ack_all(&got).await?;
            seen.extend(got.into_iter().map(|got| got.event));
        }
        Ok(())
    };
    let (published, consumed): (Outcome, Outcome) = join(trial.publish(&*transport, &events), consume).await;
    published?;
    consumed?;
    for member in crew.members {
        member.leave().await?;
    }
    trial.judge(&trial.expectations())?;
    Ok(())
}

pub(super) async fn keeps_topics_apart(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let (wanted, other) = (trial.topic(&*transport).await?, trial.topic(&*transport).await?);
    let mut member = trial.join(&transport, &trial.name("group"), &[&wanted]).await?;
    trial.publish(&*transport, &trial.events(&other, 5, 50)).await?;
    trial.publish(&*transport, &trial.events(&wanted, 5, 50)).await?;
    member.consume(50).await?;
    member.nothing(trial.quiet(), "every event of the topic was settled").await?;
    member.leave().await?;
    trial.judge(&trial.expectations())?;
    Ok(())
}

pub(super) async fn gives_every_group_everything(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let mut members = Vec::new();
    for _ in 0..3 {
        members.push(trial.join(&transport, &trial.name("group"), &[&topic]).await?);
    }
    trial.publish(&*transport, &trial.events(&topic, 5, 100)).await?;
    for mut member in members {
        member.consume(100).await?;
        member.nothing(trial.quiet(), "the group has settled everything").await?;
        member.leave().await?;
    }
    trial.judge(&trial.expectations())?;
    Ok(())
}

pub(super) async fn broadcasts_to_every_member(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let group = trial.name("group");
    let mut members = Vec::new();
    for _ in 0..3 {
        let mut subscription = trial.subscription(&group, &[&topic]);
        (subscription.mode, subscription.start) = (Mode::Broadcast, Start::Latest);
        members.push(Member::join(trial, &transport, subscription).await?);
    }
    for member in &mut members {
        wait_until_joined(trial, &*transport, member).await?;
    }
    trial.publish(&*transport, &trial.events(&topic, 5, 100)).await?;
    for member in &mut members {
        let mut missing: BTreeSet<_> = trial.events(&topic, 5, 100).into_iter().collect();
        while !missing.is_empty() {
            let got = member.next().await?;
            member.ack(&got).await?;
            missing.remove(&got.event);
        }
    }
    for member in members {
        member.leave().await?;
    }
    Ok(())
}

/// A member that begins with the next event may take a moment until it is there: events are published to a
/// key of their own until one comes.
async fn wait_until_joined(
    trial: &Trial<'_>,
    transport: &dyn Transport,
    member: &mut Member,
) -> Outcome<Vec<EventRef>> {
    let probe = trial.name("probe");
    let topic = member.topic().to_owned();
    let mut seen = Vec::new();
    for sequence in 1..=100 {
        trial.publish(transport, &[EventRef::new(topic.as_str(), probe.as_str(), sequence)]).await?;
        while let Some(got) = member.next_within(trial.quiet()).await? {
            member.ack(&got).await?;
            let found = got.event.key == probe;
            seen.push(got.event);
            if found {
                return Ok(seen);
            }
        }
    }
    Err(Failure(format!("none of 100 events came to a member of group {}", member.group)))
}

pub(super) async fn new_group_gets_the_backlog(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    trial.publish(&*transport, &trial.events(&topic, 5, 100)).await?;
    let mut subscription = trial.subscription(&trial.name("group"), &[&topic]);
    subscription.start = Start::Earliest;
    let mut member = Member::join(trial, &transport, subscription).await?;
    member.consume(100).await?;
    member.leave().await?;
    trial.judge(&trial.expectations())?;
    Ok(())
}

pub(super) async fn latest_begins_with_the_next(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let topic = trial.topic(&*transport).await?;
    let before = trial.events(&topic, 5, 50);
    trial.publish(&*transport, &before).await?;
    let mut subscription = trial.subscription(&trial.name("group"), &[&topic]);
    subscription.start = Start::Latest;
    let mut member = Member::join(trial, &transport, subscription).await?;
    let seen = wait_until_joined(trial, &*transport, &mut member).await?;
    let old = seen.iter().find(|event| before.contains(event));
    ensure!(
        old.is_none(),
        "{} came, published before the group began with the next event",
        old.map_or_else(String::new, ToString::to_string)
    );
    member.leave().await
}

pub(super) async fn ensured_group_gets_what_came_before_it_joined(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let Some(admin) = transport.admin() else {
        trial.skip("the transport has no admin");
        return Ok(());
    };
    let topic = trial.topic(&*transport).await?;
    let mut subscription = trial.subscription(&trial.name("group"), &[&topic]);
    subscription.start = Start::Latest;
    for _ in 0..2 {
        let ensured = admin.ensure_groups(std::slice::from_ref(&subscription));
        trial.wait("a group to be made", ensured).await??;
    }
    trial.publish(&*transport, &trial.events(&topic, 5, 50)).await?;
    let mut member = Member::join(trial, &transport, subscription).await?;
    member.consume(50).await?;
    member.leave().await?;
    trial.judge(&trial.expectations())?;
    Ok(())
}

pub(super) async fn deleted_group_begins_anew(trial: &Trial<'_>) -> Outcome {
    let transport = trial.transport().await?;
    let Some(admin) = transport.admin() else {
        trial.skip("the transport has no admin");
        return Ok(());
    };
    let topic = trial.topic(&*transport).await?;
    let group = trial.name("group");
    let mut member = trial.join(&transport, &group, &[&topic]).await?;
    trial.publish(&*transport, &trial.events(&topic, 5, 50)).await?;
    let got = member.receive(50).await?;
    member.ack_all(&got[..25]).await?;
    let refused = trial.wait("a group to be refused its end", admin.delete_group(&group)).await?;
    ensure!(refused.is_err(), "group {group} was deleted although it has a member");
    member.leave().await?;
    trial.recorder.rewound(&group);
    for _ in 0..2 {
        trial.wait("a group to be deleted", admin.delete_group(&group)).await??;
    }
    let mut member = trial.join(&transport, &group, &[&topic]).await?;
    let again = if trial.capabilities.backlog { 50 } else { 0 };
    trial.observe("came again", member.consume(again).await?.len());
    member.nothing(trial.quiet(), "the group was deleted").await?;
    member.leave().await
}
