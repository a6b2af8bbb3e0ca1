//! Kafka within a service, EventBridge across services: real servers on both sides of `App::forward`.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jitney::prelude::*;
use jitney::transport::Start;
use jitney::{Env, Id};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How long events may take from one bus to the other.
const PATIENCE: Duration = Duration::from_secs(180);

/// Topics outlive a run, and so each event says which run it is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsForwarded", id = parcel)]
struct ParcelSent {
    parcel: String,
    run: String,
    number: u32,
}

/// What a partner is told: id, time in milliseconds, chain, number.
type Heard = (Id, i64, Id, u32);

#[derive(Clone)]
struct Partner {
    run: String,
    heard: UnboundedSender<Heard>,
}

#[handler(group = "partner")]
async fn hear(sent: Envelope<ParcelSent>, State(partner): State<Partner>) {
    if sent.run == partner.run {
        let heard = (
            sent.event_id().clone(),
            sent.time().as_millisecond(),
            sent.correlation_id().clone(),
            sent.number,
        );
        partner.heard.send(heard).unwrap();
    }
}

#[tokio::test]
async fn events_reach_partners_on_eventbridge_as_they_were_on_kafka() {
    let kafka = jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}"));
    let partners = jitney_test_servers::eventbridge_url().unwrap_or_else(|error| panic!("{error}"));
    let kafka = Bus::connect(&format!("{kafka}/?commit_interval=50ms&create_topics=true")).await.unwrap();
    let partners = Bus::connect(&partners).await.unwrap();
    let (run, (heard, mut told)) = (format!("run-{:016x}", Env::system().random()), unbounded_channel());

    let partner = App::new("partner", partners.clone())
        .group_prefix(&run)
        .state(Partner { run: run.clone(), heard })
        .handlers(handlers![hear])
        .keep_buses_open()
        .spawn()
        .await
        .unwrap();
    let orders = App::new("parcels", kafka)
        .group_prefix(&run)
        .start_at(Start::Latest)
        .bus("partners", partners.clone())
        .forward::<ParcelSent>("partners")
        .spawn()
        .await
        .unwrap();
    let sent: Vec<_> = (0..50)
        .map(|number| ParcelSent { parcel: format!("parcel-{}", number % 7), run: run.clone(), number })
        .collect();
    let before = Env::system().now().as_millisecond();
    let ids = orders.bus().publish_all(&sent).await.unwrap();
    let after = Env::system().now().as_millisecond();

    let mut all: Vec<Heard> = Vec::new();
    while all.len() < ids.len() {
        let next = Env::system().timeout(PATIENCE, told.recv()).await;
        let next =
            next.unwrap_or_else(|_| panic!("{} of {} events were heard", all.len(), ids.len())).unwrap();
        // It may come twice; it is the same then.
        if !all.contains(&next) {
            all.push(next);
        }
    }
    all.sort_by_key(|heard| heard.3);
    for (number, (heard, id)) in all.iter().zip(&ids).enumerate() {
        assert_eq!((&heard.0, &heard.2, heard.3 as usize), (id, id, number), "its id begins its chain");
        assert!((before..=after).contains(&heard.1), "the time is that of publishing");
    }
    orders.shutdown().await.unwrap();
    partner.shutdown().await.unwrap();
}
