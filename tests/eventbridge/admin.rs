//! Lag, replay, redrive and dead letters.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jitney::prelude::*;
use jitney_core::transport::{Demand, Interest, SourceEvent, Start, Subscription, Transport};
use jitney_core::{Env, ErrorKind};

use super::server::fresh;
use super::service::{Log, app, bridge, until};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Parcel", id = parcel)]
struct Sent {
    parcel: String,
}

fn sent(number: usize) -> Sent {
    Sent { parcel: format!("p-{number}") }
}

#[tokio::test]
async fn latest_empties_the_queue() {
    let (_, bridge) = bridge("").await;
    let (group, app) = app(&bridge, |_: Sent| std::future::ready(()));
    let described = jitney_eventbridge::plan::subscriptions(&app.describe().unwrap(), None);
    bridge.apply(&bridge.plan(&described).await.unwrap()).await.unwrap();
    Bus::new(bridge.clone()).publish_all(&[sent(1), sent(2)]).await.unwrap();
    let admin = bridge.admin().unwrap();
    assert_eq!(admin.lag(&group).await.unwrap()[0].events, 2);
    admin.seek(&group, Start::Latest).await.unwrap();
    assert_eq!(admin.lag(&group).await.unwrap()[0].events, 0);
}

#[tokio::test]
async fn without_an_archive_there_is_no_way_back_and_it_says_which_one_there_would_be() {
    let (_, bridge) = bridge("").await;
    assert!(!bridge.capabilities().replayable);
    let group = fresh("shop.billing");
    let subscription = Subscription::new(&group, vec![Interest::all("Parcel-events")]);
    bridge.subscribe(subscription.clone()).await.unwrap();
    let error = bridge.admin().unwrap().seek(&group, Start::Earliest).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("archive=…"), "{error}");
    let mut past = Subscription::new(fresh("shop.past"), vec![Interest::all("Parcel-events")]);
    past.start = Start::Time(Env::system().now());
    assert_eq!(bridge.subscribe(past).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn an_unknown_group_is_an_error_that_names_it() {
    let (_, bridge) = bridge("").await;
    let admin = bridge.admin().unwrap();
    let group = fresh("nobody");
    for error in [
        admin.lag(&group).await.map(drop).unwrap_err(),
        admin.seek(&group, Start::Latest).await.unwrap_err(),
        admin.dead_letters(&group, 1).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(&group), "{error}");
    }
}

#[tokio::test]
async fn dead_letters_are_read_and_stay() {
    let (_, bridge) = bridge("").await;
    let (group, app) =
        app(&bridge, |_: Sent| async { Err::<(), _>(HandlerError::permanent("no such street")) });
    let letters = Log::new();
    let told = letters.clone();
    let app = app.on_dead_letter(move |letter| told.add(letter.failure.reason)).spawn().await.unwrap();
    app.bus().publish_all(&[sent(1), sent(2), sent(3)]).await.unwrap();
    until("all are given up", || letters.all().len() == 3).await;
    let admin = bridge.admin().unwrap();
    for _ in 0..2 {
        let found = admin.dead_letters(&group, 10).await.unwrap();
        let mut keys: Vec<_> = found.iter().map(|letter| letter.key.clone().unwrap()).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["p-1", "p-2", "p-3"]);
        assert!(found.iter().all(|letter| letter.header_str("jitney-dead-error") == Some("no such street")));
    }
    assert_eq!(admin.dead_letters(&group, 2).await.unwrap().len(), 2);
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_received_too_often_goes_among_the_dead_letters_by_itself() {
    let (_, bridge) = bridge("visibility=3s&max_receives=2").await;
    let group = fresh("shop.billing");
    let subscription = Subscription::new(&group, vec![Interest::all("Parcel-events")]);
    let mut subscribed = bridge.subscribe(subscription).await.unwrap();
    Bus::new(bridge.clone()).publish(&sent(1)).await.unwrap();
    let (env, demand) = (Env::system(), Demand { events: 1, bytes: usize::MAX });
    for attempt in 1..=2 {
        let next = poll_fn(|cx| subscribed.source.poll_next(cx, demand));
        let came = env.timeout(Duration::from_mins(1), next).await.expect("it comes").unwrap();
        let SourceEvent::Deliveries(deliveries) = came else { panic!("{came:?}") };
        assert_eq!(deliveries[0].attempt, attempt);
    }
    let admin = bridge.admin().unwrap();
    let deadline = env.instant() + Duration::from_mins(1);
    let wake = poll_fn(|cx| subscribed.source.poll_next(cx, demand));
    assert!(env.timeout(Duration::from_secs(6), wake).await.is_err(), "it does not come a third time");
    let mut letters = Vec::new();
    while letters.is_empty() {
        assert!(env.instant() < deadline, "it is nowhere");
        letters = admin.dead_letters(&group, 1).await.unwrap();
    }
    assert_eq!(letters[0].key.as_deref(), Some(&b"p-1"[..]));
    assert!(letters[0].header("jitney-dead-reason").is_none(), "nobody of us gave it up");
}

#[tokio::test]
async fn a_retry_that_is_handed_back_to_the_queue_comes_again() {
    let (_, bridge) = bridge("").await;
    let tries = std::sync::Arc::new(AtomicU32::new(0));
    let counted = std::sync::Arc::clone(&tries);
    let (_, app) = app(&bridge, move |_: Sent| {
        let first = counted.fetch_add(1, Ordering::Relaxed) == 0;
        async move { if first { Err(HandlerError::retryable("busy")) } else { Ok(()) } }
    });
    let policy = jitney::middleware::RetryPolicy::attempts(3).delayed();
    let app = app.retry(policy).spawn().await.unwrap();
    app.bus().publish(&sent(1)).await.unwrap();
    until("it is tried again", || tries.load(Ordering::Relaxed) == 2).await;
    until("it is handled", || app.stats().values().all(|stats| stats.handled == 1)).await;
    app.shutdown().await.unwrap();
}
