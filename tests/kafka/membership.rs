//! Static members: a process that is back soon is the member that it was, and no two processes are one member.

use std::future::poll_fn;

use jitney::kafka::Kafka;
use jitney::prelude::*;
use jitney::transport::{
    Delivery, Demand, Epoch, Interest, Settle, Settlement, SourceEvent, Subscription, Transport,
};
use jitney::{Env, error_chain};

use super::broker::{Broker, Record, fresh, url};
use super::service::{Log, again_on, app_on, until};

fn event(id: &str, partition: i32) -> Record {
    let body = format!(
        r#"{{"eventId":"{id}","eventType":"Noted","aggregateId":"a","aggregateType":"Note","timestamp":"2026-01-02T03:04:05.678Z","version":1,"payload":{{}}}}"#
    );
    Record { partition, ..Record::new("a", body) }
}

async fn bus_of(instance: &str) -> Bus {
    Bus::connect(&format!("{}&instance_id={instance}", url())).await.unwrap()
}

/// What a member is told, as it comes.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Delivery(Epoch, u32, String),
    Other(String),
}

/// Joins `group` as `instance`, and settles what comes.
async fn watch(group: &str, topic: &str, instance: &str) -> (Kafka, Log<Told>) {
    let kafka = Kafka::from_url(&format!("{}&instance_id={instance}", url())).await.unwrap();
    let interest = Interest::all(topic);
    let subscribed = kafka.subscribe(Subscription::new(group, vec![interest])).await.unwrap();
    let log = Log::new();
    let told = log.clone();
    let reading = async move {
        let (mut source, settler) = (subscribed.source, subscribed.settler);
        loop {
            let demand = Demand { events: 16, bytes: 1 << 20 };
            match poll_fn(|cx| source.poll_next(cx, demand)).await {
                Ok(SourceEvent::Deliveries(deliveries)) => {
                    for delivery in deliveries {
                        let body = String::from_utf8(delivery.message.body.to_vec()).unwrap();
                        told.add(Told::Delivery(delivery.epoch, delivery.partition, body));
                        settler.settle(vec![acked(&delivery)]).await.unwrap();
                    }
                }
                Ok(SourceEvent::Closed) => return,
                other => {
                    told.add(Told::Other(format!("{other:?}")));
                }
            }
        }
    };
    drop(Env::system().spawn(reading));
    (kafka, log)
}

fn acked(delivery: &Delivery) -> Settlement {
    Settlement::new(delivery.token, Settle::Ack)
}

#[tokio::test]
async fn a_member_that_is_back_soon_takes_nothing_from_the_others() {
    let (broker, topic) = (Broker::connect(), fresh("static"));
    broker.make(&topic, 2, &[]).await;
    let log = Log::new();
    let seen = log.clone();
    let take = move |event: RawEvent| {
        seen.add(event.head().event_id.to_string());
        std::future::ready(())
    };
    let reads = |spec: jitney::handler::HandlerSpec| spec.topic(&topic);
    let (group, first) = app_on(bus_of("one").await, reads, take.clone());
    let first = first.spawn().await.unwrap();
    broker.write_all(&topic, &[event("0", 0), event("1", 1)]).await;
    until("it reads both partitions", || log.len() == 2).await;
    let (kafka, told) = watch(&group, &topic, "two").await;
    // Which of them the second one has got is found by trying.
    let mut number = 0;
    let mine = loop {
        number += 1;
        broker.write_all(&topic, &[event(&format!("a{number}"), 0), event(&format!("b{number}"), 1)]).await;
        until("all are handled", || log.len() + told.len() == 2 + 2 * number).await;
        if let Some(Told::Delivery(_, partition, _)) = told.all().first() {
            break *partition as i32;
        }
    };
    let before = told.all();
    let [Told::Delivery(epoch, ..), ..] = before[..] else { panic!("{before:?}") };
    first.shutdown().await.unwrap();
    assert_eq!(broker.members(&group), 2, "it is expected back");
    broker.write(&topic, &event("while it is away", 1 - mine)).await;
    broker.write(&topic, &event("for the other", mine)).await;
    until("the other one goes on", || told.len() > before.len()).await;
    let again = again_on(bus_of("one").await, &group, reads, take);
    let again = again.spawn().await.unwrap();
    until("it is back", || log.all().last().is_some_and(|id| id == "while it is away")).await;
    broker.write(&topic, &event("at last", mine)).await;
    until("the other one still goes on", || told.len() > before.len() + 1).await;
    let is_same = |told: &Told| matches!(told, Told::Delivery(e, p, _) if *e == epoch && *p == mine as u32);
    assert!(told.all()[1..].iter().all(is_same), "{:?}", told.all());
    again.shutdown().await.unwrap();
    kafka.close(std::time::Duration::from_secs(30)).await.unwrap();
}

#[tokio::test]
async fn the_older_of_two_processes_with_one_instance_id_ends() {
    let (broker, topic) = (Broker::connect(), fresh("static"));
    broker.make(&topic, 1, &[]).await;
    let log = Log::new();
    let seen = log.clone();
    let take = move |event: RawEvent| {
        seen.add(event.head().event_id.to_string());
        std::future::ready(())
    };
    let reads = |spec: jitney::handler::HandlerSpec| spec.topic(&topic);
    let (group, older) = app_on(bus_of("one").await, reads, take.clone());
    let mut older = older.spawn().await.unwrap();
    broker.write(&topic, &event("first", 0)).await;
    until("it reads", || log.len() == 1).await;
    until("it is settled", || broker.is_done(&group, &topic)).await;
    let younger = again_on(bus_of("one").await, &group, reads, take);
    let younger = younger.spawn().await.unwrap();
    let limit = std::time::Duration::from_mins(1);
    let ended = Env::system().timeout(limit, older.failed()).await.expect("the older one ends");
    let error = ended.expect("it ends by an error");
    let text = error_chain(&error);
    println!("a second process with one instance id:\n    {text}");
    assert!(!error.is_retryable(), "{text}");
    for part in [&*group, "instance", "`instance_id`", "give each one its own"] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
    broker.write(&topic, &event("second", 0)).await;
    until("the younger one reads", || log.all().contains(&"second".to_owned())).await;
    younger.shutdown().await.unwrap();
    drop(older.shutdown().await);
}
