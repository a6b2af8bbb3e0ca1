//! One event on its way through real brokers, with its key in PostgreSQL.

use std::time::Duration;

use jitney::Env;
use jitney::handler::HandlerSpec;
use jitney::prelude::*;
use jitney::sql::PostgresKeyStore;

use super::fixture::{PersonMoved, Seen, TOPIC, assert_tells_nothing, moved, subject, vault};
use crate::server::database;

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let env = Env::system();
    let deadline = env.instant() + Duration::from_mins(2);
    while !holds() {
        assert!(env.instant() < deadline, "within two minutes it did not come about that {what}");
        env.sleep(Duration::from_millis(20)).await;
    }
}

/// Publishes through a vault; reads with the vault, and as bytes.
async fn round_trip(url: &str) {
    let run = format!("{:016x}", Env::system().random());
    let database = database().await;
    let vault = vault(PostgresKeyStore::connect(&database).await.unwrap()).await;
    let plain = Bus::connect(url).await.unwrap();
    let bus = plain.clone().with_layer(vault.layer());
    let (seen, raw) = (Seen::default(), Seen::default());
    let (log, of) = (seen.clone(), run.clone());
    let open = HandlerSet::new().handler(HandlerSpec::new("open"), move |event: PersonMoved| {
        if event.run == of {
            log.add(event);
        }
        std::future::ready(())
    });
    let (log, of) = (raw.clone(), run.clone());
    let sealed =
        HandlerSet::new().handler(HandlerSpec::new("sealed").topic(TOPIC), move |event: RawEvent| {
            let body = String::from_utf8_lossy(&event.message().body).into_owned();
            if body.contains(&of) {
                log.add(body);
            }
            std::future::ready(())
        });
    let reading = App::new(&format!("open-{run}"), bus.clone()).handlers(open).spawn().await.unwrap();
    let watching = App::new(&format!("sealed-{run}"), plain).handlers(sealed).spawn().await.unwrap();
    let event = PersonMoved { run: run.clone(), ..moved(&run) };
    bus.publish(&event).await.unwrap();
    until("both have it", || seen.len() == 1 && raw.len() == 1).await;
    assert_eq!(seen.taken(), std::slice::from_ref(&event));
    assert_tells_nothing(&raw.taken()[0]);

    vault.forget(&subject(&run)).await.unwrap();
    let error = bus.publish(&event).await.unwrap_err();
    assert_eq!(super::fixture::kind(&error), jitney::privacy::ErrorKind::Forgotten);
    reading.shutdown().await.unwrap();
    watching.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn through_rabbitmq() {
    let url = jitney_test_servers::rabbitmq_url().unwrap_or_else(|error| panic!("{error}"));
    round_trip(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_kafka() {
    let servers = jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}"));
    round_trip(&format!("{servers}/?create_topics=true&commit_interval=50ms")).await;
}
