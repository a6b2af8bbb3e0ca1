//! The format on the wire: what services in other languages read and write.

use jitney::handler::{HandlerSet, HandlerSpec};
use jitney::prelude::*;
use jitney_core::transport::Transport;
use serde_json::json;

use super::peer::{bodies, put, queue_arn, send, tap};
use super::server::{call, fresh};
use super::service::{Log, app, bridge, until};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Parcel", id = parcel, version = "2.1")]
struct Sent {
    parcel: String,
    to: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Parcel", id = parcel, key = to, topic = "audit")]
struct Audited {
    parcel: String,
    to: String,
}

fn sent(parcel: &str) -> Sent {
    Sent { parcel: parcel.to_owned(), to: "Zürich".to_owned() }
}

#[tokio::test]
async fn an_event_is_what_rules_and_services_in_other_languages_expect() {
    let (bus, bridge) = bridge("").await;
    let tapped = tap(&bus, &json!({ "source": ["shop.Parcel"], "detail": { "to": ["Zürich"] } }));
    let shop = Bus::builder(bridge).service("shop").build();
    let publisher = shop.publisher().user("u-1").correlation("c-1").pair("tenant", "t-1");
    let id = publisher.publish(&sent("p-1")).await.unwrap();
    let [body] = &bodies(&tapped)[..] else { panic!("it is one message") };
    assert_eq!((&body["source"], &body["detail-type"]), (&json!("shop.Parcel"), &json!("Sent")));
    assert_eq!(
        body["detail"],
        json!({
            "parcel": "p-1",
            "to": "Zürich",
            "metadata": {
                "eventId": id.to_string(), "eventType": "Sent", "aggregateId": "p-1", "aggregateType": "Parcel",
                "timestamp": body["detail"]["metadata"]["timestamp"], "version": 2, "minor": 1,
                "userId": "u-1", "correlationId": "c-1", "tenant": "t-1",
            },
        })
    );
}

#[tokio::test]
async fn a_topic_and_a_key_of_its_own_stand_in_the_metadata() {
    let (bus, bridge) = bridge("").await;
    let tapped = tap(&bus, &json!({ "detail": { "metadata": { "jitney": { "topic": ["audit"] } } } }));
    let audited = Audited { parcel: "p-1".to_owned(), to: "Zürich".to_owned() };
    Bus::new(bridge).publish(&audited).await.unwrap();
    let routing = bodies(&tapped)[0]["detail"]["metadata"]["jitney"].take();
    assert_eq!(routing, json!({ "topic": "audit", "key": "Zürich" }));
}

#[tokio::test]
async fn readers_of_a_topic_get_no_events_that_were_published_to_another() {
    let (_, bridge) = bridge("").await;
    let log = Log::new();
    let seen = log.clone();
    let name = fresh("svc");
    let take = move |event: RawEvent| {
        seen.add(event.head().event_type.to_string());
        std::future::ready(())
    };
    // Both event types are of one aggregate, and come from one source.
    let all = HandlerSpec::new("all").topic("Parcel-events");
    let app = App::new(&name, Bus::new(bridge.clone())).handlers(HandlerSet::new().handler(all, take));
    let app = app.spawn().await.unwrap();
    let audited = Audited { parcel: "p-1".to_owned(), to: "Zürich".to_owned() };
    app.bus().publish(&audited).await.unwrap();
    app.bus().publish(&sent("p-1")).await.unwrap();
    until("one is handled", || !log.all().is_empty()).await;
    app.shutdown().await.unwrap();
    assert_eq!(log.all(), ["Sent"]);
    // Nor does anything else wait in the group's queue.
    let lag = bridge.admin().unwrap().lag(&format!("{name}.all")).await.unwrap();
    assert_eq!(lag[0].events, 0);
}

#[tokio::test]
async fn what_the_articles_publisher_writes_reaches_handlers() {
    let (bus, bridge) = bridge("").await;
    let log = Log::new();
    let seen = log.clone();
    let (_, app) = app(&bridge, move |sent: Envelope<Sent>| {
        seen.add(sent);
        std::future::ready(())
    });
    let app = app.spawn().await.unwrap();
    let metadata = json!({ "userId": "u-2", "correlationId": "c-2", "causationId": "e-0", "version": 2 });
    put(
        &bus,
        "order-service.Parcel",
        "Sent",
        &json!({ "to": "Zürich", "parcel": "p-1", "metadata": metadata }),
    );
    until("it is handled", || !log.all().is_empty()).await;
    let sent_event = log.all().remove(0);
    assert_eq!(sent_event.payload(), &sent("p-1"));
    assert_eq!(sent_event.metadata().user_id.as_deref(), Some("u-2"));
    assert_eq!(sent_event.correlation_id().to_string(), "c-2");
    assert_eq!(sent_event.aggregate_type(), "Parcel");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_target_that_passes_on_the_bare_detail_serves_as_well() {
    let (bus, bridge) = bridge("").await;
    let log = Log::new();
    let seen = log.clone();
    let (group, app) = app(&bridge, move |sent: Envelope<Sent>| {
        seen.add(sent);
        std::future::ready(())
    });
    let app = app.spawn().await.unwrap();
    // Somebody has the group's rule leave the envelope out.
    let arn = queue_arn(&group.replace('.', "-"));
    let target = json!({ "Id": "jitney", "Arn": arn, "InputPath": "$.detail" });
    call("AWSEvents.PutTargets", &json!({ "Rule": group, "EventBusName": bus, "Targets": [target] }));
    let id = Bus::new(bridge).publish(&sent("p-1")).await.unwrap();
    until("it is handled", || !log.all().is_empty()).await;
    assert_eq!((log.all()[0].event_id(), log.all()[0].payload()), (&id, &sent("p-1")));
    assert_eq!(log.all()[0].version(), jitney::event::Version::new(2, 1));
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_no_event_becomes_a_dead_letter_whole() {
    let (_, bridge) = bridge("").await;
    let (group, app) = app(&bridge, |_: Sent| std::future::ready(()));
    let letters = Log::new();
    let told = letters.clone();
    let app = app.on_dead_letter(move |letter| told.add(letter.failure.reason)).spawn().await.unwrap();
    let marker = fresh("no event");
    send(&group.replace('.', "-"), &marker);
    until("it is given up", || !letters.all().is_empty()).await;
    let admin = app.bus().transport().admin().unwrap();
    let stored = admin.dead_letters(&group, 10).await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].body, marker.as_bytes());
    assert_eq!(stored[0].header_str("jitney-dead-reason"), Some("undecodable"));
    app.shutdown().await.unwrap();
}
