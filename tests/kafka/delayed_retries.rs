//! A handler that does not depend on order lets failed events wait beside its partition.

use std::collections::BTreeMap;
use std::time::Duration;

use jitney::handler::HandlerSpec;
use jitney::middleware::RetryPolicy;
use jitney::prelude::*;

use super::broker::{Broker, Record, fresh};
use super::service::{Log, again, app, stats, until};

fn event(id: &str) -> Record {
    let body = format!(
        r#"{{"eventId":"{id}","eventType":"Noted","aggregateId":"a","aggregateType":"Note","timestamp":"2026-01-02T03:04:05.678Z","version":1,"payload":{{}}}}"#
    );
    Record::new("a", body).header("event-type", "Noted").header("theirs", "kept")
}

fn delayed(attempts: u32, delay: Duration) -> RetryPolicy {
    RetryPolicy::attempts(attempts).between(delay, delay).delayed()
}

/// Notes every attempt, and fails those of events whose id begins with `bad`.
fn take(log: Log<String>) -> impl Fn(RawEvent) -> std::future::Ready<Result<(), &'static str>> + Clone {
    move |event| {
        let id = event.head().event_id.to_string();
        log.add(id.clone());
        std::future::ready(if id.starts_with("bad") { Err("not now") } else { Ok(()) })
    }
}

fn spec(topic: &str, policy: RetryPolicy) -> impl FnOnce(HandlerSpec) -> HandlerSpec {
    let topic = topic.to_owned();
    move |spec| spec.topic(topic).retry(policy)
}

#[tokio::test]
async fn an_event_comes_again_until_it_is_given_up_and_its_letter_says_where_it_came_from() {
    let (broker, log) = (Broker::connect(), Log::new());
    let topic = fresh("delayed");
    broker.make(&topic, 3, &[]).await;
    let (all, env) = (log.clone(), jitney::Env::system());
    let take = move |event: RawEvent| {
        let (all, env, id) = (all.clone(), env.clone(), event.head().event_id.to_string());
        async move {
            let is_again = all.all().contains(&id);
            all.add(id.clone());
            // The event behind does not wait for this one; it would wait in vain if it did.
            while is_again && !all.all().iter().any(|id| id == "good-behind") {
                env.sleep(Duration::from_millis(10)).await;
            }
            if id == "bad" { Err("not now") } else { Ok(()) }
        }
    };
    let (group, app) = app(spec(&topic, delayed(4, Duration::from_millis(300))), take).await;
    let app = app.spawn().await.unwrap();
    let before = Record { partition: 2, ..event("good-before") };
    let bad = Record { partition: 2, ..event("bad") };
    let behind = Record { partition: 2, ..event("good-behind") };
    for record in [&before, &bad, &behind] {
        broker.write(&topic, record).await;
    }
    until("it is given up", || stats(&app).dead_lettered == 1).await;
    let mut seen = BTreeMap::new();
    log.all().into_iter().for_each(|id| *seen.entry(id).or_insert(0) += 1);
    assert_eq!(
        seen,
        BTreeMap::from([("bad".into(), 4), ("good-before".into(), 1), ("good-behind".into(), 1)])
    );
    let all = log.all();
    let place = |id: &str| all.iter().rposition(|found| found == id).unwrap();
    assert!(place("good-behind") < place("bad"), "the event behind did not wait: {all:?}");
    let [letter] = &broker.read(&format!("{group}.dead-letters"))[..] else { panic!("one is given up") };
    let said = ["reason", "attempts", "topic", "partition", "position"];
    let said = said.map(|name| letter.text(&format!("jitney-dead-{name}")).unwrap());
    assert_eq!(said, ["exhausted", "4", &topic, "2", "1"]);
    let whole = letter.clone().before_it_died();
    assert_eq!(Record { partition: 2, ..whole }, bad, "nothing of the waiting is left");
    until("its own partition is committed", || broker.committed(&group, &topic, 2) == Some(3)).await;
    let retries = format!("{group}.retry-1s");
    let waited = broker.read(&retries);
    assert_eq!(waited.len(), 3);
    until("the retry topic is committed", || {
        let partitions = broker.partitions(&retries).into_iter();
        partitions.filter_map(|partition| broker.committed(&group, &retries, partition)).sum::<i64>() == 3
    })
    .await;
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn no_event_comes_again_before_its_time() {
    let (broker, log) = (Broker::connect(), Log::new());
    let topic = broker.topic("delayed").await;
    let times = Log::new();
    let (clock, seen) = (jitney::Env::system(), times.clone());
    let wait = Duration::from_millis(1_500);
    let take = move |event: RawEvent| {
        log.add(event.head().event_id.to_string());
        let attempt = seen.add(clock.now());
        std::future::ready(if attempt == 0 { Outcome::retry_after(wait) } else { Outcome::ack() })
    };
    let (_, app) = app(spec(&topic, delayed(9, Duration::from_millis(1))), take).await;
    let app = app.spawn().await.unwrap();
    broker.write(&topic, &event("late")).await;
    until("it has come again", || times.len() == 2).await;
    let [first, second] = times.all()[..] else { panic!("twice and no more") };
    // The broker knows milliseconds.
    assert!(second.duration_since(first) >= (wait - Duration::from_millis(2)).try_into().unwrap());
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_waits_outlives_its_service() {
    let (broker, log) = (Broker::connect(), Log::new());
    let topic = broker.topic("delayed").await;
    let policy = delayed(2, Duration::from_secs(4));
    let (group, app) = app(spec(&topic, policy), take(log.clone())).await;
    let app = app.spawn().await.unwrap();
    broker.write(&topic, &event("bad")).await;
    until("it waits", || stats(&app).retried == 1).await;
    until("its partition goes on", || broker.committed(&group, &topic, 0) == Some(1)).await;
    app.shutdown().await.unwrap();
    let app = again(&group, spec(&topic, policy), take(log.clone())).await.spawn().await.unwrap();
    // A delay is drawn, and may be over before the service stops: most are not.
    until("it is given up", || broker.read(&format!("{group}.dead-letters")).len() == 1).await;
    assert_eq!(log.len(), 2, "the attempt before the restart counts");
    let letter = broker.read(&format!("{group}.dead-letters")).remove(0);
    assert_eq!(letter.text("jitney-dead-attempts"), Some("2"));
    assert_eq!(letter.text("jitney-dead-topic"), Some(&*topic));
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_short_wait_does_not_stand_behind_a_long_one() {
    let (broker, log) = (Broker::connect(), Log::new());
    let topic = broker.topic("delayed").await;
    let seen = log.clone();
    let take = move |event: RawEvent| {
        let id = event.head().event_id.to_string();
        let is_first = !seen.all().contains(&id);
        seen.add(id.clone());
        std::future::ready(match &*id {
            _ if !is_first => Outcome::ack(),
            "long" => Outcome::retry_after(Duration::from_secs(3_600)),
            _ => Outcome::retry_after(Duration::from_millis(500)),
        })
    };
    let (_, app) = app(spec(&topic, delayed(9, Duration::from_millis(1))), take).await;
    let app = app.spawn().await.unwrap();
    broker.write(&topic, &event("long")).await;
    broker.write(&topic, &event("short")).await;
    until("the short one has come again", || log.all() == ["long", "short", "short"]).await;
    app.shutdown().await.unwrap();
}
