//! Each bus and each store, and the same proof.

use std::collections::BTreeMap;

use super::found::found;
use super::input::FORGOTTEN;
use super::places::Place;
use super::shop::Shop;
use crate::server;

/// The read model that has names and phones in plain text, for as long as their customers are remembered.
fn is_phone_list(place: &str) -> bool {
    // Tables of the file are looked at one by one too.
    place.ends_with(".phones")
        || place.ends_with(" phones")
        || place.ends_with("orders.db")
        || place.ends_with("orders.db-wal")
}

async fn forgets_a_customer(bus: &str, place: Place) {
    let shop = Shop::of(bus, place).await;
    shop.order_unsent(FORGOTTEN).await;
    let phones = shop.store.as_ref().and_then(|store| store.phones.clone());
    if let (Some(phones), Some(store)) = (&phones, &shop.store) {
        phones.catch_up(store.events.clone()).await.unwrap();
    }
    let input = &shop.input;
    let ordered: Vec<_> = input.customers.values().collect();
    let (theirs, figures) = (input.orders_of(FORGOTTEN), shop.figures().await);
    assert!(!theirs.is_empty() && ordered.len() > theirs.len());

    // Before: everything is sealed everywhere, but where people read it.
    let secrets = input.secrets(ordered.iter().copied());
    let orders: Vec<String> = theirs.iter().copied().chain(["unsent"]).map(str::to_owned).collect();
    let (mut in_plain_text, everything) = (0, shop.everything().await);
    for (place, bytes) in &everything {
        let there = found(bytes, &secrets);
        assert!(there.is_empty() || is_phone_list(place), "{there:?} in {place}");
        in_plain_text += there.len();
    }
    // A search that looks at nothing would find no order either.
    for name in shop.with_orders() {
        let there = everything.iter().find(|(place, _)| place.ends_with(name));
        let (place, bytes) = there.unwrap_or_else(|| panic!("{name} is not among what is searched"));
        assert!(!found(bytes, &orders).is_empty(), "the search finds no order in {place}");
    }
    assert_eq!(
        found(super::log::logged().as_bytes(), &[super::log::PLANTED.to_owned()]),
        [super::log::PLANTED]
    );
    assert_eq!(in_plain_text > 0, phones.is_some(), "the search finds nobody in the phone list");
    let written: BTreeMap<_, _> =
        input.expected(Some(FORGOTTEN)).into_iter().map(|(order, whom)| (order, Some(whom))).collect();
    assert_eq!(shop.views.mail.as_ref().unwrap().letters.written(), written);
    assert_eq!(shop.dead_letters.len(), theirs.len(), "their letters came back");
    let known: BTreeMap<_, _> =
        input.expected(None).into_iter().map(|(order, whom)| (order, Some(whom))).collect();
    assert_eq!(shop.on_the_bus().await, known);

    shop.forget(FORGOTTEN).await;

    let secrets = input.secrets([&FORGOTTEN.to_owned()]);
    for (place, bytes) in shop.everything().await {
        assert_eq!(found(&bytes, &secrets), [""; 0], "{place}");
    }
    let erased = known.into_iter().map(|(order, whom)| {
        let whom = whom.filter(|_| input.customers[&order] != FORGOTTEN);
        (order, whom)
    });
    assert_eq!(shop.on_the_bus().await, erased.collect());
    for (order, whom) in shop.by_the_orders().await {
        let expected = match &*input.customers[&order] {
            FORGOTTEN => "somebody who is forgotten",
            other => &*input.recipients[other].contact,
        };
        assert_eq!(whom, expected, "{order}");
    }
    if let Some(phones) = phones {
        assert_eq!(phones.recipients().await.unwrap(), input.expected(Some(FORGOTTEN)));
    }
    assert_eq!(shop.figures().await, figures);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_bus_in_memory() {
    forgets_a_customer("memory://", Place::Nowhere).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_kafka_with_a_store_in_memory() {
    let servers = jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}"));
    forgets_a_customer(&format!("{servers}/?create_topics=true"), Place::Memory).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_rabbitmq_with_a_store_on_sqlite() {
    let url = jitney_test_servers::rabbitmq_url().unwrap_or_else(|error| panic!("{error}"));
    forgets_a_customer(&url, Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_eventbridge_with_a_store_on_postgres() {
    let url = jitney_test_servers::eventbridge_url().unwrap_or_else(|error| panic!("{error}"));
    forgets_a_customer(&url, Place::Postgres(server::database().await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_bus_in_memory_with_a_store_on_kafka() {
    forgets_a_customer("memory://", Place::kafka()).await;
}
