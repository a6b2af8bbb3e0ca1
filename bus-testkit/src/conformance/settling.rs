//! What is settled is done; what is not comes again.

use std::sync::Arc;
use std::time::Duration;

use jitney_core::ErrorKind;
use jitney_core::message::Message;
use jitney_core::transport::{Settle, Settlement, Subscription, Transport};

use super::failure::{Failure, Outcome, ensure};
use super::member::{Got, Member};
use super::trial::Trial;
use crate::history::EventRef;

/// A member with `count` events of different keys received and unsettled.
struct Scene {
    transport: Arc<dyn Transport>,
    topic: String,
    group: String,
    member: Member,
    got: Vec<Got>,
}

impl Scene {
    async fn new(trial: &Trial<'_>, count: usize) -> Outcome<Scene> {
        Scene::with(trial, count, |_| {}).await
    }

    /// The same, the member's wish changed by `change`.
    async fn with(trial: &Trial<'_>, count: usize, change: impl Fn(&mut Subscription)) -> Outcome<Scene> {
        let transport = trial.transport().await?;
        let topic = trial.topic(&*transport).await?;
        let group = trial.name("group");
        let mut subscription = trial.subscription(&group, &[&topic]);
        change(&mut subscription);
        let mut member = Member::join(trial, &transport, subscription).await?;
        trial.publish(&*transport, &trial.events(&topic, count, count)).await?;
        let got = member.receive(count).await?;
        Ok(Scene { transport, topic, group, member, got })
    }

    async fn another(&self, trial: &Trial<'_>) -> Outcome<Member> {
        trial.join(&self.transport, &self.group, &[&self.topic]).await
    }
}

/// Settles what the group still owes, and holds the history against all properties.
async fn finish(trial: &Trial<'_>, mut member: Member) -> Outcome {
    while let Some(got) = member.next_within(trial.quiet()).await? {
        member.ack(&got).await?;
    }
    member.leave().await?;
    trial.judge(&trial.expectations())?;
    Ok(())
}

pub(super) async fn settled_does_not_come_again(trial: &Trial<'_>) -> Outcome {
    let mut scene = Scene::new(trial, 20).await?;
    scene.member.ack_all(&scene.got).await?;
    scene.member.nothing(trial.quiet(), "everything was acked").await?;
    let mut other = scene.another(trial).await?;
    scene.member.leave().await?;
    other.nothing(trial.quiet(), "everything was acked by a member that left").await?;
    // The group goes on with what is published now.
    let next = [EventRef::new(scene.topic.as_str(), "next", 1)];
    trial.publish(&*scene.transport, &next).await?;
    let got = other.next().await?;
    ensure!(got.event == next[0], "{} came again, acked by a member that left", got.event);
    other.ack(&got).await?;
    finish(trial, other).await
}

pub(super) async fn retry_comes_again(trial: &Trial<'_>) -> Outcome {
    let mut scene = Scene::with(trial, 5, |subscription| subscription.delayed_retry = true).await?;
    let (retried, acked) = scene.got.split_at(2);
    scene.member.ack_all(acked).await?;
    let mut wanted: Vec<_> = retried.iter().map(|got| got.event.clone()).collect();
    for got in retried {
        scene.member.retry(got, Duration::ZERO).await?;
    }
    let mut again = scene.member.receive(2).await?;
    again.sort_by(|a, b| a.event.cmp(&b.event));
    wanted.sort();
    let seen: Vec<_> = again.iter().map(|got| got.event.clone()).collect();
    ensure!(seen == wanted, "after a retry of {wanted:?} came {seen:?}");
    scene.member.ack_all(&again).await?;
    finish(trial, scene.member).await
}

pub(super) async fn counts_deliveries(trial: &Trial<'_>) -> Outcome {
    let mut scene = Scene::with(trial, 1, |subscription| subscription.delayed_retry = true).await?;
    let mut got = scene.got.remove(0);
    for attempt in 1..=3 {
        let called = got.delivery.attempt;
        ensure!(called == attempt, "delivery {attempt} of {} is called attempt {called}", got.event);
        scene.member.retry(&got, Duration::ZERO).await?;
        got = scene.member.next().await?;
    }
    trial.observe("attempt after three retries", got.delivery.attempt);
    scene.member.ack(&got).await?;
    finish(trial, scene.member).await
}

pub(super) async fn retry_waits_for_its_delay(trial: &Trial<'_>) -> Outcome {
    let mut scene = Scene::with(trial, 2, |subscription| subscription.delayed_retry = true).await?;
    let after = (trial.quiet() * 2).max(Duration::from_secs(1));
    let asked = trial.env.instant();
    scene.member.retry(&scene.got[0], after).await?;
    scene.member.ack(&scene.got[1]).await?;
    let again = scene.member.next_within(after + trial.fixture.patience()).await?;
    let waited = asked.elapsed();
    ensure!(again.is_some(), "a delivery that was to be retried after {after:?} did not come again");
    ensure!(waited >= after, "a delivery that was to be retried after {after:?} came after {waited:?}");
    scene.member.ack_all(again.as_slice()).await?;
    finish(trial, scene.member).await
}

pub(super) async fn unsettled_goes_to_another_member(trial: &Trial<'_>) -> Outcome {
    let scene = Scene::new(trial, 20).await?;
    let mut other = scene.another(trial).await?;
    scene.member.vanish();
    other.consume(20).await?;
    finish(trial, other).await
}

pub(super) async fn leaving_gives_back_what_is_unsettled(trial: &Trial<'_>) -> Outcome {
    let scene = Scene::new(trial, 20).await?;
    scene.member.leave().await?;
    let mut other = trial.join(&scene.transport, &scene.group, &[&scene.topic]).await?;
    other.consume(20).await?;
    finish(trial, other).await
}

/// Closing the transport ends its members; a new connection goes on where they stopped.
pub(super) async fn continues_after_close(trial: &Trial<'_>) -> Outcome {
    let (first, second) = (trial.transport().await?, trial.transport().await?);
    let topic = trial.topic(&*first).await?;
    let group = trial.name("group");
    let mut member = trial.join(&first, &group, &[&topic]).await?;
    // One key: the settled ones lie before the unsettled, also where only a position is kept.
    trial.publish(&*second, &trial.events(&topic, 1, 20)).await?;
    let mut got = member.receive(20).await?;
    got.sort_by_key(|got| got.event.sequence);
    member.ack_all(&got[..10]).await?;
    trial.recorder.left(&member.group, &member.name);
    trial.wait("closing", first.close(trial.fixture.patience())).await??;
    drop(member);
    let mut other = trial.join(&second, &group, &[&topic]).await?;
    let order = other.consume(10).await?;
    let old = order.iter().find(|event| event.sequence <= 10);
    ensure!(old.is_none(), "settled events came again after close: {order:?}");
    finish(trial, other).await
}

/// None of them is settled, and yet all come.
pub(super) async fn unsettled_does_not_block_the_next(trial: &Trial<'_>) -> Outcome {
    let scene = Scene::new(trial, 100).await?;
    scene.member.ack_all(&scene.got).await?;
    finish(trial, scene.member).await
}

pub(super) async fn settles_out_of_order(trial: &Trial<'_>) -> Outcome {
    let mut scene = Scene::new(trial, 40).await?;
    trial.shuffle(&mut scene.got);
    for got in &scene.got[1..] {
        scene.member.ack(got).await?;
    }
    let owed = scene.got[0].event.clone();
    let mut other = scene.another(trial).await?;
    scene.member.leave().await?;
    let mut came = Vec::new();
    while !came.contains(&owed) {
        let got = other.next().await.map_err(|Failure(why)| {
            Failure(format!("{owed} was the only one unsettled, what came again was {came:?}, then: {why}"))
        })?;
        other.ack(&got).await?;
        came.push(got.event);
    }
    finish(trial, other).await
}

pub(super) async fn ignores_an_old_epoch(trial: &Trial<'_>) -> Outcome {
    let scene = Scene::new(trial, 10).await?;
    let settler = scene.member.drop_source();
    let mut second = trial.join(&scene.transport, &scene.group, &[&scene.topic]).await?;
    let again = second.receive(10).await?;
    let old = scene.got.iter().map(|got| Settlement::new(got.delivery.token, Settle::Ack));
    // Ignored, or refused: but never done.
    let _ = trial.wait("settling under an old epoch", settler.settle(old.collect())).await?;
    second.leave().await?;
    drop(again);
    let mut third = trial.join(&scene.transport, &scene.group, &[&scene.topic]).await?;
    third.consume(10).await?;
    finish(trial, third).await
}

pub(super) async fn ignores_a_second_settlement(trial: &Trial<'_>) -> Outcome {
    let mut scene = Scene::new(trial, 10).await?;
    scene.member.ack_all(&scene.got).await?;
    scene.member.ack_all(&scene.got).await?;
    let retries = scene
        .got
        .iter()
        .map(|got| Settlement::new(got.delivery.token, Settle::Retry { after: Duration::ZERO }));
    let _ = trial.wait("settling twice", scene.member.settler.settle(retries.collect())).await?;
    scene.member.nothing(trial.quiet(), "everything was acked before it was settled otherwise").await?;
    finish(trial, scene.member).await
}

/// Kept alive for twice the limit, a delivery stays where it is; let go, it goes to another.
pub(super) async fn keep_alive_holds_a_delivery(trial: &Trial<'_>) -> Outcome {
    let Some(limit) = trial.capabilities.settle_within else { return Ok(()) };
    let scene = Scene::new(trial, 1).await?;
    let mut other = scene.another(trial).await?;
    let tokens = [scene.got[0].delivery.token];
    for _ in 0..8 {
        trial.wait("keeping a delivery alive", scene.member.settler.keep_alive(&tokens)).await??;
        other.nothing(limit / 4, "the delivery is kept alive by another member").await?;
    }
    scene.member.ack_all(&scene.got).await?;
    scene.member.leave().await?;
    other.nothing(trial.quiet(), "the delivery was acked while it was kept alive").await?;
    finish(trial, other).await
}

pub(super) async fn takes_back_what_is_held_too_long(trial: &Trial<'_>) -> Outcome {
    let Some(limit) = trial.capabilities.settle_within else { return Ok(()) };
    let mut scene = Scene::new(trial, 1).await?;
    let again = scene.member.next_within(limit + trial.fixture.patience()).await?;
    ensure!(again.is_some(), "a delivery that was not settled within {limit:?} did not come again");
    scene.member.ack_all(again.as_slice()).await?;
    finish(trial, scene.member).await
}

pub(super) async fn stores_dead_letters_whole(trial: &Trial<'_>) -> Outcome {
    let mut scene = Scene::new(trial, 3).await?;
    let (dead, rest) = (&scene.got[0], &scene.got[1..]);
    scene.member.dead_letter(dead).await?;
    scene.member.ack_all(rest).await?;
    scene.member.nothing(trial.quiet(), "the rest was acked and one stored as a dead letter").await?;
    if let Some(admin) = scene.transport.admin() {
        let letters = trial.wait("the dead letters", admin.dead_letters(&scene.group, 10)).await?;
        match letters {
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            letters => check_dead_letters(dead, &scene.group, &letters?)?,
        }
    }
    finish(trial, scene.member).await
}

fn check_dead_letters(dead: &Got, group: &str, letters: &[Message]) -> Outcome {
    ensure!(letters.len() == 1, "one delivery was given up, and {} dead letters are there", letters.len());
    let (letter, original) = (&letters[0], &dead.delivery.message);
    ensure!(letter.body == original.body, "the body of a dead letter is not the one that was delivered");
    ensure!(
        letter.key == original.key,
        "the key of a dead letter is {:?}, not {:?}",
        letter.key,
        original.key
    );
    let missing = original.headers.iter().find(|header| !letter.headers.contains(header));
    ensure!(missing.is_none(), "a dead letter lacks the header {missing:?} of its delivery");
    let told = [("reason", "permanent"), ("error", "card declined"), ("group", group), ("handler", "charge")];
    for (name, value) in told {
        let name = format!("jitney-dead-{name}");
        let found = letter.header_str(&name);
        ensure!(found == Some(value), "the header {name} of a dead letter is {found:?}, not {value:?}");
    }
    let topic = letter.header_str("jitney-dead-topic");
    ensure!(
        topic == Some(&*original.topic),
        "a dead letter says that it came from {topic:?}, not {}",
        original.topic
    );
    Ok(())
}
