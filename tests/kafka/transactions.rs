//! What is stored together is visible together or not at all: batches over several topics, and groups that are exactly once.

use std::collections::BTreeMap;
use std::time::Duration;

use jitney::app::RunningApp;
use jitney::handler::HandlerSet;
use jitney::handler::HandlerSpec;
use jitney::middleware::RetryPolicy;
use jitney::prelude::*;
use jitney::transport::Start;
use jitney::{ErrorKind, error_chain};

use super::broker::{Broker, Record, fresh};
use super::service::{Log, attempts, bus, stats, until};

/// An event type with a topic of its own; topics outlive a run, and so each event says which run it is of.
macro_rules! event {
    ($name:ident, $topic:literal) => {
        #[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
        #[event(aggregate = "JitneyTests", id = id, topic = $topic)]
        struct $name {
            id: String,
            run: String,
            text: String,
        }

        impl $name {
            const TOPIC: &str = $topic;

            #[allow(dead_code, reason = "not every type is published here")]
            fn new(run: &str, id: impl ToString) -> Self {
                $name { id: id.to_string(), run: run.to_owned(), text: String::new() }
            }
        }
    };
}

event!(Ordered, "jitney-tests-ordered");
event!(Billed, "jitney-tests-billed");
event!(Packed, "jitney-tests-packed");
event!(Labelled, "jitney-tests-labelled-small");
event!(Asked, "jitney-tests-asked");
event!(AskedTwice, "jitney-tests-asked-twice");
event!(AskedBadly, "jitney-tests-asked-badly");
event!(AskedLater, "jitney-tests-asked-later");
event!(AskedAtLength, "jitney-tests-asked-at-length");
event!(Answered, "jitney-tests-answered");

async fn broker() -> Broker {
    let broker = Broker::connect();
    for topic in [
        Ordered::TOPIC,
        Billed::TOPIC,
        Packed::TOPIC,
        Asked::TOPIC,
        AskedTwice::TOPIC,
        AskedBadly::TOPIC,
        AskedLater::TOPIC,
        AskedAtLength::TOPIC,
        Answered::TOPIC,
    ] {
        broker.ensure(topic, 4, &[]).await;
    }
    broker.ensure(Labelled::TOPIC, 4, &[("max.message.bytes", "1000")]).await;
    broker
}

/// How many events of `run` are visible in each topic of a batch. The answer to a commit comes before all partitions have heard
/// of it: what is committed is waited for.
fn visible(broker: &Broker, run: &str) -> [usize; 4] {
    let topics = [Ordered::TOPIC, Billed::TOPIC, Packed::TOPIC, Labelled::TOPIC];
    topics.map(|topic| broker.read_with(topic, run).len())
}

#[tokio::test]
async fn a_batch_is_visible_in_all_of_its_topics() {
    let (broker, bus, run) = (broker().await, bus().await, fresh("run"));
    for round in 1..=3 {
        let mut batch = bus.publisher().batch();
        batch.add(&Ordered::new(&run, round)).await;
        batch.add(&Billed::new(&run, round)).await;
        batch.add(&Billed::new(&run, "another")).await;
        batch.add(&Packed::new(&run, round)).await;
        let ids = batch.send_atomically().await.unwrap();
        assert_eq!(ids.len(), 4);
        let expected = [round, 2 * round, round, 0];
        until("the batch is visible", || visible(&broker, &run).iter().sum::<usize>() >= 4 * round).await;
        assert_eq!(visible(&broker, &run), expected);
    }
}

#[tokio::test]
async fn a_batch_with_one_message_that_is_refused_leaves_nothing() {
    let (broker, bus, run) = (broker().await, bus().await, fresh("run"));
    let batch = async |text: String| {
        let mut batch = bus.publisher().batch();
        batch.add(&Ordered::new(&run, 1)).await;
        batch.add(&Labelled { text, ..Labelled::new(&run, 1) }).await;
        batch.add(&Packed::new(&run, 1)).await;
        batch.send_atomically().await
    };
    let error = batch("x".repeat(5_000)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    let text = error_chain(&error);
    assert!(text.contains(Labelled::TOPIC) && text.contains("max.message.bytes"), "{text}");
    assert_eq!(visible(&broker, &run), [0; 4]);
    batch(String::new()).await.unwrap();
    until("the other batch is visible", || visible(&broker, &run).iter().sum::<usize>() >= 3).await;
    assert_eq!(visible(&broker, &run), [1, 0, 1, 1]);
}

/// A service whose handler called `answer` is exactly once; its group is `{prefix}.answer`.
async fn service<F, Args>(prefix: &str, policy: RetryPolicy, answer: F) -> RunningApp
where
    F: jitney::handler::HandlerFn<Args>,
    Args: Send + 'static,
{
    let spec = HandlerSpec::new("answer").exactly_once().retry(policy);
    let app = App::new("jitney-tests", bus().await).handlers(HandlerSet::new().handler(spec, answer));
    app.group_prefix(prefix).start_at(Start::Latest).spawn().await.unwrap()
}

/// How often each id of `run` was answered.
fn answers(broker: &Broker, run: &str) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for record in broker.read_with(Answered::TOPIC, run) {
        *answers.entry(String::from_utf8(record.key.unwrap().to_vec()).unwrap()).or_insert(0) += 1;
    }
    answers
}

/// The answers of `run`, when there are some for so many ids: a group's place may be known as committed before its outputs are.
async fn answers_when(broker: &Broker, run: &str, ids: usize) -> BTreeMap<String, usize> {
    until("the answers can be seen", || answers(broker, run).len() >= ids).await;
    answers(broker, run)
}

/// The dead letters of `group`, when there are so many.
async fn letters_when(broker: &Broker, group: &str, many: usize) -> Vec<Record> {
    let letters = || broker.read(&format!("{group}.dead-letters"));
    until("the dead letters can be seen", || letters().len() >= many).await;
    letters()
}

fn once(ids: impl IntoIterator<Item = impl ToString>) -> BTreeMap<String, usize> {
    ids.into_iter().map(|id| (id.to_string(), 1)).collect()
}

#[tokio::test]
async fn two_members_share_the_work_and_every_output_is_there_once() {
    let (broker, bus, run) = (broker().await, bus().await, fresh("run"));
    let answer = |asked: AskedTwice| async move { Answered::new(&asked.run, asked.id) };
    let group = format!("{run}.answer");
    let first = service(&run, attempts(1), answer).await;
    let mut published = 0;
    // The first one works already while the second one joins.
    let mut publish = async |many: u32| {
        let events: Vec<_> = (0..many).map(|n| AskedTwice::new(&run, published + n)).collect();
        published += many;
        bus.publish_all(&events).await.unwrap();
        published
    };
    publish(200).await;
    let second = service(&run, attempts(1), answer).await;
    let mut all = 0;
    while stats(&first).handled == 0 || stats(&second).handled == 0 {
        all = publish(50).await;
        assert!(all < 20_000, "one of them gets nothing: {:?} {:?}", stats(&first), stats(&second));
        until("they are handled", || broker.is_done(&group, AskedTwice::TOPIC)).await;
    }
    assert_eq!(answers_when(&broker, &run, all as usize).await, once(0..all));
    // What the second one had is the first one's again.
    second.shutdown().await.unwrap();
    let all = publish(100).await;
    until("the rest is handled", || broker.is_done(&group, AskedTwice::TOPIC)).await;
    assert_eq!(answers_when(&broker, &run, all as usize).await, once(0..all));
    first.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_fails_at_first_is_there_once_and_what_is_given_up_is_a_dead_letter() {
    let (broker, bus, run) = (broker().await, bus().await, fresh("run"));
    let tried = Log::new();
    let log = tried.clone();
    let answer = move |asked: AskedBadly| {
        let earlier = log.all().iter().filter(|id| **id == asked.id).count();
        log.add(asked.id.clone());
        std::future::ready(match &*asked.id {
            "bad" => Err(HandlerError::permanent("no answer to that")),
            "late" if earlier < 2 => Err("not now".into()),
            _ => Ok(Answered::new(&asked.run, asked.id)),
        })
    };
    let app = service(&run, attempts(5), answer).await;
    let group = format!("{run}.answer");
    let ids = ["1", "bad", "2", "late", "3"];
    for id in ids {
        bus.publish(&AskedBadly::new(&run, id)).await.unwrap();
    }
    let unreadable = Record { partition: 1, ..Record::new("x", "{") };
    broker.write(AskedBadly::TOPIC, &unreadable).await;
    until("everything is settled", || broker.is_done(&group, AskedBadly::TOPIC)).await;
    assert_eq!(answers_when(&broker, &run, 4).await, once(["1", "2", "late", "3"]));
    let mut letters = letters_when(&broker, &group, 2).await;
    letters.sort_by_key(|letter| letter.text("jitney-dead-reason").map(str::to_owned));
    let reasons: Vec<_> = letters.iter().map(|letter| letter.text("jitney-dead-reason").unwrap()).collect();
    assert_eq!(reasons, ["permanent", "undecodable"]);
    assert_eq!(Record { partition: 1, ..letters.remove(1).before_it_died() }, unreadable);
    // They are counted behind the commit, which the broker tells of first.
    until("the outputs are counted", || stats(&app).outputs == 4).await;
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_waits_beside_is_answered_once_in_the_end() {
    let (broker, bus, run) = (broker().await, bus().await, fresh("run"));
    let tried = Log::new();
    let log = tried.clone();
    let answer = move |asked: AskedLater| {
        let attempt = log.add(());
        std::future::ready(match attempt {
            0 | 1 => Err("not now"),
            _ => Ok(Answered::new(&asked.run, asked.id)),
        })
    };
    let delay = Duration::from_millis(200);
    let app = service(&run, RetryPolicy::attempts(5).between(delay, delay).delayed(), answer).await;
    let group = format!("{run}.answer");
    bus.publish(&AskedLater::new(&run, "later")).await.unwrap();
    until("it is answered", || answers(&broker, &run) == once(["later"])).await;
    until("it is settled", || broker.is_done(&group, AskedLater::TOPIC)).await;
    assert_eq!(tried.len(), 3);
    assert_eq!(stats(&app).dead_lettered, 0);
    app.shutdown().await.unwrap();
    assert_eq!(answers(&broker, &run), once(["later"]));
}

#[tokio::test]
async fn an_output_that_its_topic_refuses_makes_a_dead_letter_of_its_event_alone() {
    let (broker, bus, run) = (broker().await, bus().await, fresh("run"));
    let answer = |asked: AskedAtLength| async move {
        // No compression makes it small.
        let is_bad = asked.id == "bad";
        let text = (0..5_000).filter(|_| is_bad).map(|_| fastrand::alphanumeric()).collect();
        Labelled { text, ..Labelled::new(&asked.run, asked.id) }
    };
    let app = service(&run, attempts(2), answer).await;
    let group = format!("{run}.answer");
    for id in ["1", "bad", "2"] {
        bus.publish(&AskedAtLength::new(&run, id)).await.unwrap();
    }
    until("everything is settled", || broker.is_done(&group, AskedAtLength::TOPIC)).await;
    let labelled = || broker.read_with(Labelled::TOPIC, &run);
    until("the outputs can be seen", || labelled().len() >= 2).await;
    let mut keys: Vec<_> = labelled().into_iter().filter_map(|record| record.key).collect();
    keys.sort();
    assert_eq!(keys, ["1", "2"]);
    let letter = letters_when(&broker, &group, 1).await.remove(0);
    assert_eq!(letter.key.as_deref(), Some(&b"bad"[..]));
    let error = letter.text("jitney-dead-error").unwrap();
    assert!(error.contains(Labelled::TOPIC) && error.contains("max.message.bytes"), "{error}");
    app.shutdown().await.unwrap();
}
