//! Topics, lag, positions and dead letters, asked for and changed through the bus.

use std::collections::BTreeSet;
use std::time::Duration;

use jitney::admin::{Lag, TopicSpec};
use jitney::app::RunningApp;
use jitney::handler::HandlerSpec;
use jitney::kafka::Kafka;
use jitney::prelude::*;
use jitney::transport::{PartitionPosition, Position, Start};
use jitney::{ErrorKind, error_chain};

use super::broker::{Broker, Record, fresh, url};
use super::service::{Log, again, app, app_on, attempts, bus, until};

/// An event called `id`; its time is `time` milliseconds behind 1970.
fn event(id: impl std::fmt::Display, time: i64) -> Record {
    let body = format!(
        r#"{{"eventId":"{id}","eventType":"Noted","aggregateId":"a","aggregateType":"Note","timestamp":"2026-01-02T03:04:05.678Z","version":1,"payload":{{}}}}"#
    );
    Record { time, ..Record::new("a", body) }
}

fn note(log: &Log<String>) -> impl Fn(RawEvent) -> std::future::Ready<()> + Clone + use<> {
    let log = log.clone();
    move |event| {
        log.add(event.head().event_id.to_string());
        std::future::ready(())
    }
}

fn reads(topic: &str) -> impl FnOnce(HandlerSpec) -> HandlerSpec + use<> {
    let topic = topic.to_owned();
    move |spec| spec.topic(topic)
}

/// A topic of one partition with events `0` to `9`, the times of which are 1 s, 2 s, … behind 1970.
async fn ten_events() -> (Broker, String) {
    let broker = Broker::connect();
    let topic = broker.topic("admin").await;
    for number in 0..10 {
        broker.write(&topic, &event(number, 1_000 * (number + 1))).await;
    }
    (broker, topic)
}

fn numbers(from: u32) -> Vec<String> {
    (from..10).map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn topics_are_made_once_and_never_changed_silently() {
    let (broker, bus, topic) = (Broker::connect(), bus().await, fresh("topics"));
    let admin = bus.admin().unwrap();
    let spec = TopicSpec::new(&*topic).partitions(3).retention(Duration::from_hours(2));
    for _ in 0..2 {
        admin.ensure_topics(std::slice::from_ref(&spec)).await.unwrap();
        admin.ensure_topics(&[TopicSpec::new(&*topic)]).await.unwrap();
    }
    assert_eq!(broker.partitions(&topic).len(), 3);
    assert_eq!(broker.setting(&topic, "retention.ms").await.as_deref(), Some("7200000"));
    for (other, says) in [
        (TopicSpec::new(&*topic).partitions(5), "`Kafka::add_partitions`"),
        (TopicSpec::new(&*topic).partitions(2), "use another name"),
        (TopicSpec::new(&*topic).partitions(0), "at least one"),
        (TopicSpec::new(&*topic).retention(Duration::from_hours(3)), "retention.ms=7200000"),
    ] {
        let error = admin.ensure_topics(&[other]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = error_chain(&error);
        assert!(text.contains(&topic) && text.contains(says), "{text}");
    }
}

#[tokio::test]
async fn a_topic_grows_where_that_is_asked_for_by_name() {
    let (broker, topic) = (Broker::connect(), fresh("growing"));
    broker.make(&topic, 2, &[]).await;
    let kafka = Kafka::from_url(&url()).await.unwrap();
    kafka.add_partitions(&topic, 4).await.unwrap();
    until("it has grown", || broker.partitions(&topic).len() == 4).await;
    for (name, partitions) in [(&*topic, 4), (&*topic, 1), ("jitney-tests-nowhere", 4)] {
        let error = kafka.add_partitions(name, partitions).await.unwrap_err();
        assert!(error_chain(&error).contains(name), "{error}");
    }
}

#[tokio::test]
async fn partitions_that_are_added_are_read_from_their_beginning() {
    let (broker, topic, log) = (Broker::connect(), fresh("growing"), Log::new());
    broker.make(&topic, 1, &[]).await;
    let quick = format!("{}&topic.metadata.refresh.interval.ms=1000", url());
    let (_, app) = app_on(Bus::connect(&quick).await.unwrap(), reads(&topic), note(&log));
    let app = app.start_at(Start::Latest).spawn().await.unwrap();
    let kafka = Kafka::from_url(&url()).await.unwrap();
    kafka.add_partitions(&topic, 2).await.unwrap();
    until("it has grown", || broker.partitions(&topic).len() == 2).await;
    broker.write(&topic, &Record { partition: 1, ..event("in the new one", 1) }).await;
    until("it is handled", || log.len() == 1).await;
    app.shutdown().await.unwrap();
}

async fn lag(bus: &Bus, group: &str, topic: &str) -> u64 {
    let all = bus.admin().unwrap().lag(group).await.unwrap();
    all.iter().filter(|lag| lag.topic == topic).map(|lag| lag.events).sum()
}

#[tokio::test]
async fn lag_is_what_is_not_settled_of_groups_that_run_or_not() {
    let ((broker, topic), log) = (ten_events().await, Log::new());
    let (group, app) = app(reads(&topic), note(&log)).await;
    let app = app.spawn().await.unwrap();
    until("all are handled", || log.len() == 10).await;
    until("all are committed", || broker.is_done(&group, &topic)).await;
    let other = bus().await;
    for bus in [app.bus(), &other] {
        assert_eq!(lag(bus, &group, &topic).await, 0);
    }
    let found = &app.lag().await.unwrap()[&group];
    assert_eq!(found[..], [Lag { topic: topic.clone(), partition: 0, events: 0 }]);
    app.shutdown().await.unwrap();
    broker.write_all(&topic, &[event("a", 1), event("b", 1)]).await;
    assert_eq!(lag(&other, &group, &topic).await, 2);
    let error = other.admin().unwrap().lag("jitney-tests-nobody").await.unwrap_err();
    assert!(error_chain(&error).contains("jitney-tests-nobody"), "{error}");
    assert!(error_chain(&error).contains("check its name"), "{error}");
}

#[tokio::test]
async fn lag_counts_what_waits_in_retry_topics() {
    let (broker, topic) = ten_events().await;
    let later = |_: RawEvent| std::future::ready(Outcome::retry_after(Duration::from_secs(3_600)));
    let (group, app) = app(|it| reads(&topic)(it).retry(attempts(3).delayed()), later).await;
    let app = app.spawn().await.unwrap();
    until("all of it waits", || broker.is_done(&group, &topic)).await;
    let other = bus().await;
    let waiting = async || {
        let all = other.admin().unwrap().lag(&group).await.unwrap();
        all.into_iter().filter(|lag| lag.topic.contains(".retry-")).map(|lag| lag.events).sum::<u64>()
    };
    assert_eq!(waiting().await, 10);
    app.shutdown().await.unwrap();
    assert_eq!(waiting().await, 10);
}

/// Runs a group over the topic, stops it, and gives back its name.
async fn stopped(topic: &str) -> String {
    let log = Log::new();
    let (group, app) = app(reads(topic), note(&log)).await;
    let app = app.spawn().await.unwrap();
    until("all are handled", || log.len() == 10).await;
    app.shutdown().await.unwrap();
    group
}

/// What a stopped group handles when it goes on.
async fn goes_on(group: &str, topic: &str, expected: &[String]) {
    let log = Log::new();
    let app = again(group, reads(topic), note(&log)).await.spawn().await.unwrap();
    until("it has gone on", || log.len() >= expected.len()).await;
    app.shutdown().await.unwrap();
    assert_eq!(log.all(), expected);
}

fn at(topic: &str, position: u64) -> Start {
    let position = Position(position);
    Start::Positions(vec![PartitionPosition { topic: topic.to_owned(), partition: 0, position }])
}

fn second(number: i64) -> Start {
    Start::Time(jiff::Timestamp::from_second(number).unwrap())
}

#[tokio::test]
async fn a_stopped_group_goes_on_where_it_is_sent() {
    let (broker, topic) = ten_events().await;
    let group = stopped(&topic).await;
    let bus = bus().await;
    let admin = bus.admin().unwrap();
    for (start, first) in [
        (at(&topic, 7), 7),
        (second(4), 3),
        (Start::Earliest, 0),
        (Start::Latest, 10),
        (second(99), 10),
        (at(&topic, 99), 10),
    ] {
        admin.seek(&group, start.clone()).await.unwrap();
        assert_eq!(broker.committed(&group, &topic, 0), Some(first), "{start:?}");
    }
    admin.seek(&group, at(&topic, 6)).await.unwrap();
    goes_on(&group, &topic, &numbers(6)).await;
    let error = admin.seek("jitney-tests-nobody", Start::Earliest).await.unwrap_err();
    assert!(error_chain(&error).contains("jitney-tests-nobody"), "{error}");
}

#[tokio::test]
async fn new_groups_begin_where_they_are_told() {
    let (_, topic) = ten_events().await;
    for (start, first) in [(at(&topic, 7), 7), (second(4), 3), (Start::Earliest, 0)] {
        let log = Log::new();
        let (_, app) = app(reads(&topic), note(&log)).await;
        let app = app.start_at(start.clone()).spawn().await.unwrap();
        until("it has read all", || log.len() >= 10 - first).await;
        app.shutdown().await.unwrap();
        assert_eq!(log.all(), numbers(first as u32), "{start:?}");
    }
}

async fn running(topic: &str, log: &Log<String>) -> (String, RunningApp) {
    let (group, app) = app(reads(topic), note(log)).await;
    let app = app.spawn().await.unwrap();
    until("all are handled", || log.len() >= 10).await;
    (group, app)
}

#[tokio::test]
async fn a_running_group_goes_back_and_forward() {
    let ((broker, topic), log) = (ten_events().await, Log::new());
    let (group, app) = running(&topic, &log).await;
    let admin = app.bus().admin().unwrap();
    for _ in 0..5 {
        let before = log.len();
        admin.seek(&group, at(&topic, 4)).await.unwrap();
        until("it has gone back", || log.len() >= before + 6).await;
        assert_eq!(log.all()[before..], numbers(4));
    }
    until("it is committed", || broker.committed(&group, &topic, 0) == Some(10)).await;
    broker.write(&topic, &event("behind", 1)).await;
    until("it goes on as ever", || log.all().last().is_some_and(|id| id == "behind")).await;
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_group_that_is_sent_back_under_load_misses_nothing() {
    let (broker, topic, log) = (Broker::connect(), fresh("load"), Log::new());
    broker.make(&topic, 1, &[]).await;
    let all: Vec<_> = (0..20_000).map(|number| event(number, 1)).collect();
    broker.write_all(&topic, &all).await;
    let (group, app) = app(reads(&topic), note(&log)).await;
    let app = app.spawn().await.unwrap();
    let mut sent_back = 0;
    for round in 1..=8 {
        until("it is in the middle", || log.len() > 1_000 * round).await;
        sent_back = log.len();
        app.bus().admin().unwrap().seek(&group, at(&topic, 10)).await.unwrap();
    }
    // It may have been through before it was sent back for the last time: what is committed says little here.
    let expected: BTreeSet<_> = (10..20_000).map(|number| number.to_string()).collect();
    until("all of it has come again", || {
        let seen: BTreeSet<_> = log.all()[sent_back..].iter().cloned().collect();
        expected.is_subset(&seen)
    })
    .await;
    until("all are committed", || broker.committed(&group, &topic, 0) == Some(20_000)).await;
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_group_with_members_elsewhere_is_not_sent_anywhere() {
    let ((broker, topic), log) = (ten_events().await, Log::new());
    let (group, app) = running(&topic, &log).await;
    until("all are committed", || broker.is_done(&group, &topic)).await;
    let other = bus().await;
    let error = other.admin().unwrap().seek(&group, Start::Earliest).await.unwrap_err();
    let text = error_chain(&error);
    assert!(text.contains(&group) && text.contains("elsewhere") && text.contains("stop them"), "{text}");
    assert_eq!(broker.committed(&group, &topic, 0), Some(10));
    app.shutdown().await.unwrap();
    assert_eq!(log.len(), 10);
}

#[tokio::test]
async fn a_place_that_is_no_longer_there_is_refused_by_name() {
    let (broker, topic) = ten_events().await;
    let group = stopped(&topic).await;
    broker.cut(&topic, 0, 5).await;
    let bus = bus().await;
    let error = bus.admin().unwrap().seek(&group, at(&topic, 2)).await.unwrap_err();
    let text = error_chain(&error);
    for part in [&*topic, "position 2", "5 to 10", "`Start::Earliest`"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(broker.committed(&group, &topic, 0), Some(10));
    bus.admin().unwrap().seek(&group, Start::Earliest).await.unwrap();
    goes_on(&group, &topic, &numbers(5)).await;
}

#[tokio::test]
async fn dead_letters_are_read_and_stay() {
    let broker = Broker::connect();
    let topic = broker.topic("letters").await;
    let (group, app) = app(reads(&topic), |_: RawEvent| async {}).await;
    let app = app.spawn().await.unwrap();
    let bad: Vec<_> = (0..5).map(|number| Record::new("a", format!("bad {number}"))).collect();
    broker.write_all(&topic, &bad).await;
    until("all are given up", || broker.is_done(&group, &topic)).await;
    app.shutdown().await.unwrap();
    let bus = bus().await;
    let admin = bus.admin().unwrap();
    for (limit, count) in [(0, 0), (2, 2), (5, 5), (100, 5)] {
        let letters = admin.dead_letters(&group, limit).await.unwrap();
        let bodies: Vec<_> = letters.iter().map(|letter| &letter.body[..]).collect();
        let expected: Vec<_> = bad[..count].iter().map(|record| record.value.as_deref().unwrap()).collect();
        assert_eq!(bodies, expected);
        assert!(letters.iter().all(|letter| letter.header_str("jitney-dead-topic") == Some(&*topic)));
    }
    assert!(admin.dead_letters("jitney-tests-nobody", 10).await.unwrap().is_empty());
}
